# SPDX-License-Identifier: GPL-2.0-only
"""docs/reliability.md has the table that `invoke harden` prints, and no count by hand."""

from pathlib import Path

import pytest

from tests import hardening
from tests.faults import hosts
from tests.fuzz.targets import TARGETS

DOC = (Path(__file__).resolve().parents[1] / "docs/reliability.md").read_text()


def rows() -> dict[str, list[str]]:
    """Return the table's rows by what was tried, with their other cells."""
    lines = DOC.partition(f"| {' | '.join(hardening.HEADINGS)} |\n")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in lines.splitlines()[1:]]
    return {what: rest for what, *rest in cells}


@pytest.mark.slow
def test_the_page_claims_no_attack_that_is_not_tried_and_leaves_none_out() -> None:
    counts, documented = hardening.collected(), rows()
    for attack in hardening.ATTACKS:
        cases, outcome, _ = documented[attack.what]
        assert outcome == attack.outcome
        assert 0 < int(cases.replace(",", "")) <= counts[attack.what], attack.what


def test_the_documented_faults_are_those_that_are_tried() -> None:
    assert set(hardening.FAULTS.values()) <= rows().keys()
    assert set(hosts.KINDS) | {"SIGKILL", "bits flip"} == set(hardening.FAULTS)
    kills = rows()[hardening.FAULTS["SIGKILL"]]
    assert kills[0] == str(hardening.KILLS)


def test_the_documented_parsers_are_all_that_are_fuzzed() -> None:
    (what,) = (what for what in rows() if "parsers" in what)
    parsers = sum(map(len, TARGETS.values()))
    assert what.endswith(f" {parsers} parsers of {len(TARGETS)} kinds read")


def test_whatever_is_listed_has_a_row_of_its_own_and_no_other() -> None:
    listed = {one.what for one in hardening.ATTACKS} | set(hardening.FAULTS.values())
    assert {what for what in rows() if "parsers" not in what} == listed
