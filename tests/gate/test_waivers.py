# SPDX-License-Identifier: GPL-2.0-only
"""Limits that may be broken for a while, and what a verdict says of them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput, UnknownName
from patchbench.gate import rules, verdicts, waivers
from patchbench.gate.limits import Limit, Ruled, Ruling
from patchbench.gate.waivers import Waiver
from tests.gate.test_verdicts import verdict

LINK = "https://lore.kernel.org/r/1"
TODAY = date(2027, 1, 1)


def ruling(ruled: Ruled, metric: str = "drain_ns") -> Ruling:
    return Ruling(Limit("exit-storm", "exact", metric, "lower", 1.0), ruled, "because")


def waiver(**narrower: str) -> Waiver:
    return Waiver("drain_ns", "the next revision flushes", LINK, TODAY, **narrower)


def test_a_waived_limit_stays_broken_and_stops_nobody() -> None:
    (one,) = waivers.apply([waiver()], [ruling("FAIL")], "v0")
    assert one.ruled == "FAIL"
    assert one.waived == f"waived until 2027-01-01: the next revision flushes ({LINK})"
    assert rules.overall([one, ruling("PASS")]) == "PASS"


@pytest.mark.parametrize(
    "other", [{"series": "v1"}, {"machine": "exact8"}, {"workload": "swap-io"}]
)
def test_a_waiver_of_something_else_waives_nothing(other: dict[str, str]) -> None:
    assert waivers.apply([waiver(**other)], [ruling("FAIL")], "v0") == (ruling("FAIL"),)
    assert waivers.apply([waiver()], [ruling("FAIL", "exit_ns")], "v0")[0].waived == ""


def test_what_is_undecided_cannot_be_waived() -> None:
    assert waivers.apply([waiver()], [ruling("INCONCLUSIVE")], "v0")[0].waived == ""


def test_a_verdict_shows_what_is_waived() -> None:
    shown = replace(verdict("PASS"), rulings=waivers.apply([waiver()], [ruling("FAIL")], "v0"))
    assert "FAIL (waived)" in verdicts.rows(shown)[0]
    assert verdicts.sentences(shown)[0].startswith(
        "exit-storm exact drain_ns is broken, and waived until 2027-01-01"
    )
    assert "<skipped" in verdicts.junit(shown)


def written(root: Path, text: str) -> Catalog:
    metrics = root / "workloads/metrics"
    metrics.mkdir(parents=True)
    (metrics / "drain_ns.toml").write_text('label = "drain"\n')
    (root / "configs").mkdir()
    (root / waivers.FILE).write_text(text)
    return Catalog(root)


def table(metric: str = "drain_ns", link: str = LINK) -> str:
    return (
        f'[[waivers]]\nmetric = "{metric}"\nreason = "r"\nlink = "{link}"\nexpires = 2026-12-31\n'
    )


def test_an_expired_waiver_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the waiver of drain_ns expired on 2026-12-31"):
        waivers.load(written(tmp_path, table()), TODAY)


def test_a_waiver_holds_on_the_day_that_it_names(tmp_path: Path) -> None:
    (one,) = waivers.load(written(tmp_path, table()), date(2026, 12, 31))
    assert one.metric == "drain_ns"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (table(metric="drane_ns"), UnknownName),
        (table(link="somewhere"), BadInput),
        (table().replace('reason = "r"\n', ""), BadInput),
    ],
)
def test_a_waiver_that_says_too_little_is_refused(
    tmp_path: Path, text: str, error: type[BadInput]
) -> None:
    with pytest.raises(error):
        waivers.load(written(tmp_path, text), TODAY)


def test_the_project_s_own_file_is_read() -> None:
    waivers.load(Catalog(Path(__file__).resolve().parents[2]))
