# SPDX-License-Identifier: GPL-2.0-only
"""A verdict on its way out."""

import json
from dataclasses import replace
from pathlib import Path

from junitparser import JUnitXml

from patchbench.gate import verdicts
from patchbench.gate.limits import Limit, Ruled, Ruling, Verdict
from patchbench.model import NEVER
from tests.gate.test_rules import delta

LIMIT = Limit("exit-storm", "exact", "exit_ns", "lower", 1.0, why="a kill waits for it")


def verdict(*ruled: Ruled, reasons: tuple[str, ...] = ()) -> Verdict:
    change = delta([110e6] * 9 + [NEVER], [100e6] * 10)
    rulings = tuple(Ruling(LIMIT, one, f"because {one}", change, 9.5, NEVER) for one in ruled)
    return Verdict(
        gate="20260101T000000-gate-v1-against-v0-mainline", series="v1", against="v0",
        kernel="mainline 7.3.4", ruled=ruled[0], rulings=rulings, reasons=reasons, runs=("run",),
        error_rate=0.05, seeds=10, cpu_seconds=80.4, wall_seconds=41.2, command="./bootstrap gate",
    )  # fmt: skip


def test_a_row_has_a_metric_its_change_its_limit_and_why() -> None:
    row = dict(zip(verdicts.HEADINGS, verdicts.rows(verdict("FAIL"))[0], strict=True))
    assert row["metric"] == "exit-storm exact exit_ns"
    assert (row["base"], row["interval"]) == ("100.000 ms", "[+9.50, to never]")
    assert (row["limit"], row["verdict"], row["why"]) == ("<= +1 %", "FAIL", "because FAIL")


def test_the_headline_says_what_it_cost() -> None:
    assert verdicts.headline(verdict("PASS")) == (
        "PASS: v1 against v0 on mainline 7.3.4, 10 seeds, 80 CPU-seconds, 41 s"
    )


def test_the_files_of_a_verdict_are_read_by_what_reads_such_files(tmp_path: Path) -> None:
    verdicts.write(tmp_path, verdict("FAIL", "PASS", "INCONCLUSIVE", reasons=("v1 lost a <boot>",)))
    read = json.loads((tmp_path / "verdict.json").read_text(), parse_constant=str)
    assert (read["ruled"], read["rulings"][0]["high_pct"]) == ("FAIL", "never")
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "junit.xml"))))
    assert (suite.tests, suite.failures) == (4, 3)
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("## FAIL: v1 against v0 on mainline 7.3.4")
    assert "> v1 lost a &lt;boot>" in summary
    assert "80 CPU-seconds" in summary


def test_what_is_not_met_says_why_it_is_asked_for() -> None:
    kept, broken = verdict("PASS"), verdict("FAIL", reasons=("v1 lost a boot",))
    assert verdicts.sentences(kept) == []
    assert verdicts.sentences(broken) == [
        "v1 lost a boot",
        "exit_ns on exact has a limit because a kill waits for it",
    ]
    assert "> exit_ns on exact has a limit because a kill" in verdicts.markdown(broken)
    assert "because a kill waits for it" in verdicts.junit(broken)


def test_a_fail_gives_the_reasons_of_the_limits_that_are_broken_and_of_no_others() -> None:
    because = "exit_ns on exact has a limit because a kill waits for it"
    assert verdicts.sentences(verdict("FAIL", "INCONCLUSIVE", "PASS")) == [because]
    assert verdicts.sentences(verdict("INCONCLUSIVE", "PASS")) == [because]


def test_what_was_not_looked_at_is_listed_everywhere_and_fails_nothing() -> None:
    stopped = replace(verdict("FAIL"), not_looked_at=("look 2, 16 seeds", "quick rows"))
    assert verdicts.sentences(stopped)[-1] == (
        "not looked at, as the verdict was FAIL already: look 2, 16 seeds, quick rows (`--all`)"
    )
    suite = next(iter(JUnitXml.fromstring(verdicts.junit(stopped))))
    assert (suite.tests, suite.failures, suite.skipped) == (3, 1, 2)


def test_inconclusive_is_a_failure_to_what_knows_only_two_answers() -> None:
    suite = next(iter(JUnitXml.fromstring(verdicts.junit(verdict("INCONCLUSIVE")))))
    assert (suite.tests, suite.failures) == (1, 1)


def test_a_reason_of_a_pass_fails_nothing() -> None:
    passed = verdict("PASS", reasons=("the same tree, so there is nothing to measure",))
    suite = next(iter(JUnitXml.fromstring(verdicts.junit(passed))))
    assert (suite.failures, suite.skipped) == (0, 1)
