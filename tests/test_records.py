# SPDX-License-Identifier: GPL-2.0-only
"""The guest protocol."""

import pytest

from patchbench import records
from patchbench.errors import BadRecord
from patchbench.model import NEVER, Metric, Sample
from tests.fakes import results


def test_a_whole_log_gives_its_metrics_samples_and_meta() -> None:
    told = records.parse(results(123, "45.5"))
    assert told.complete
    assert told.metrics[0] == Metric("exit_ns", "ns", "lower")
    assert told.samples == (Sample("exit_ns", 123, "victim-0"), Sample("drain_ns", 45.5))
    assert told.meta["release"].startswith("7.3.4")


def test_a_log_that_stops_anywhere_is_never_complete() -> None:
    log = results()
    for end in range(len(log)):
        assert not records.parse(log[:end]).complete


def test_a_cut_line_is_told_but_not_read() -> None:
    told = records.parse(results()[: -len("9\nend ok\n")])
    assert [sample.metric for sample in told.samples] == ["exit_ns"]
    assert told.last_line.startswith("sample drain_ns")


def test_an_empty_log_says_nothing() -> None:
    assert records.parse("").last_line == ""


def test_a_clock_that_never_stopped_is_worse_than_any_finite_one() -> None:
    told = records.parse(results(drain_ns="never"))
    assert records.values(told, "drain_ns") == [NEVER]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("hello", "not a line of the protocol"),
        ("sample exit_ns 1", "undeclared metric"),
        ("metric exit_ns ns sideways", "not a line of the protocol"),
        ("metric a ns lower\nmetric a ns lower", "declared twice"),
        ("metric a ns lower\nsample a nan", "not a number"),
        ("metric a ns lower\nsample a 0x10", "not a number"),
        ("metric a ns lower\nsample a -1", "not a number"),
        ("metric a ns lower\nsample a 1 two labels", "not a line of the protocol"),
        ("end ok\nmeta late word", "a line after"),
    ],
)
def test_a_line_off_the_protocol_is_refused_by_number(line: str, why: str) -> None:
    with pytest.raises(BadRecord, match=f"line .*{why}"):
        records.parse(f"patchbench 1\n{line}\n")


def test_another_protocol_version_is_refused() -> None:
    with pytest.raises(BadRecord, match="expected 'patchbench 1'"):
        records.parse("patchbench 2\nend ok\n")


def test_a_declared_metric_without_a_sample_is_missing() -> None:
    told = records.parse("patchbench 1\nmetric a ns lower\nmetric b ns lower\nsample a 1\nend ok\n")
    assert records.missing(told) == ("b",)


def test_numbers_read_back_as_they_were_rendered() -> None:
    assert [records.render(value) for value in (3.0, 2.5, NEVER)] == ["3", "2.5", "never"]
