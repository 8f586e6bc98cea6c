# SPDX-License-Identifier: GPL-2.0-only
"""The guest protocol."""

import pytest

from patchbench import records
from patchbench.errors import BadRecord
from patchbench.model import NEVER, Metric, Sample
from tests.fakes import results


def test_a_whole_log_gives_its_metrics_samples_and_meta() -> None:
    record = records.parse(results(123, "45.5"))
    assert record.complete
    assert record.metrics[0] == Metric("exit_ns", "ns", "lower")
    assert record.samples == (Sample("exit_ns", 123, "victim-0"), Sample("drain_ns", 45.5))
    assert record.meta["release"].startswith("7.3.4")


def test_a_log_that_stops_anywhere_is_never_complete() -> None:
    log = results()
    for end in range(len(log)):
        assert not records.parse(log[:end]).complete


def test_a_cut_line_is_kept_but_not_parsed() -> None:
    record = records.parse(results()[: -len("9\nend ok\n")])
    assert [sample.metric for sample in record.samples] == ["exit_ns"]
    assert record.last_line.startswith("sample drain_ns")


def test_the_last_line_of_a_cut_log_is_short_and_printable() -> None:
    record = records.parse("patchbench 1\nmeta \x1b[2J" + "x" * 1000)
    assert record.last_line == ("meta ?[2J" + "x" * 1000)[:200]


def test_an_empty_log_says_nothing() -> None:
    assert records.parse("").last_line == ""


def test_a_clock_that_never_stopped_is_worse_than_any_finite_one() -> None:
    record = records.parse(results(drain_ns="never"))
    assert [one.value for one in record.samples if one.metric == "drain_ns"] == [NEVER]


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
        (f"metric a ns lower\nsample a {'9' * 21}", "more than 20 digits"),
        ("metric a ns lower\nsample a \N{SUPERSCRIPT TWO}", "not a number"),
        (f"meta vmstat.counter {'9' * 5000}", "too long"),
        ("meta vmstat.counter \N{SUPERSCRIPT TWO}", "characters that are not allowed"),
        ("meta release 7.3\x1b[2J", "characters that are not allowed"),
        ("meta <b> 1", "characters that are not allowed"),
        ("metric =1+1 ns lower", "characters that are not allowed"),
        ("metric a\rMeasured: ns lower", "characters that are not allowed"),
        ("metric a <script> lower", "characters that are not allowed"),
        (f"metric {'a' * 65} ns lower", "too long"),
        ("metric a ns lower\nsample a 1 ../x", "characters that are not allowed"),
    ],
)
def test_a_line_off_the_protocol_is_refused_by_number(line: str, why: str) -> None:
    with pytest.raises(BadRecord, match=f"line .*{why}"):
        records.parse(f"patchbench 1\n{line}\n")


def test_another_protocol_version_is_refused() -> None:
    with pytest.raises(BadRecord, match="expected 'patchbench 1'"):
        records.parse("patchbench 2\nend ok\n")


def test_a_declared_metric_without_a_sample_is_missing() -> None:
    record = records.parse(
        "patchbench 1\nmetric a ns lower\nmetric b ns lower\nsample a 1\nend ok\n"
    )
    assert records.missing(record) == ("b",)


def test_numbers_read_back_as_they_were_rendered() -> None:
    assert [records.render(value) for value in (3.0, 2.5, NEVER)] == ["3", "2.5", "never"]
