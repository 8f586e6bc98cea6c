# SPDX-License-Identifier: GPL-2.0-only
"""Which console lines are splats, and of what kind."""

import time
from datetime import date
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.check import answers
from patchbench.errors import BadInput
from patchbench.stages import splats
from patchbench.stages.splats import AllowedSplat, SplatPolicy, SplatRule

ROOT = Path(__file__).resolve().parents[2]
RACE = SplatRule("KCSAN", "BUG: KCSAN: (?P<what>.+)", "two CPUs race")
BUG = SplatRule("bug", "BUG", "a bug")


def with_splats(root: Path, allow: str) -> Path:
    (root / "configs").mkdir(parents=True)
    text = "[[deny]]\nkind = 'k'\npattern = 'x'\nwhy = 'y'\n[[allow]]\npattern = 'z'\nwhy = 'w'\n"
    (root / "configs/splats.toml").write_text(text + allow)
    return root


def test_a_splat_is_allowed_with_a_link_or_until_a_date(tmp_path: Path) -> None:
    linked = with_splats(tmp_path / "a", 'link = "https://example.org/thread"\n')
    dated = with_splats(tmp_path / "b", "expires = 2026-06-30\n")
    assert splats.load(linked).allow
    assert splats.load(dated, date(2026, 6, 30)).allow


def test_every_rule_is_about_a_flavour_and_questions_that_exist() -> None:
    catalog = Catalog(ROOT)
    policy = splats.load(ROOT)
    assert {one.flavour for one in policy.expect} <= {*catalog.listing()["flavour"]}
    asked = {*answers.questions(ROOT)}
    assert {name for rule in policy.deny for name in rule.questions} <= asked


def test_an_allowance_without_ground_or_past_its_date_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs a `link`"):
        splats.load(with_splats(tmp_path / "a", ""))
    with pytest.raises(BadInput, match="expired on 2026-06-30"):
        splats.load(with_splats(tmp_path / "b", "expires = 2026-06-30\n"), date(2026, 7, 1))


def test_the_first_rule_that_matches_names_the_kind_and_what_tells_it_apart() -> None:
    console = "Booting\nBUG: KCSAN: data-race in a / b\nBUG in c\n"
    found = [*SplatPolicy((RACE, BUG)).find(console)]
    kinds = [(number, splat.kind) for number, splat in found]
    assert kinds == [(1, "KCSAN: data-race in a / b"), (2, "bug")]


def test_what_is_allowed_is_no_splat_whatever_rule_it_matches() -> None:
    allowed = AllowedSplat("in known_race", "settled", link="https://example.org/thread")
    policy = SplatPolicy((RACE, BUG), (allowed,))
    assert [*policy.find("BUG: KCSAN: data-race in known_race\n")] == []


def test_what_is_allowed_after_a_line_is_a_splat_before_it() -> None:
    allowed = AllowedSplat("in known_race", "CPUs stop", after="Power down")
    policy = SplatPolicy((RACE, BUG), (allowed,))
    race = "BUG: KCSAN: data-race in known_race\n"
    assert [number for number, _ in policy.find(f"{race}reboot: Power down\n{race}")] == [0]


def test_a_task_may_wake_another_on_a_cpu_that_powering_off_has_stopped_and_not_before() -> None:
    warning = "WARNING: kernel/sched/core.c:3389 at set_task_cpu+0x174/0x188, CPU#4: comm/92\n"
    policy = splats.load(ROOT)
    assert [*policy.find(f"[ 6.3] reboot: Power down\n{warning}")] == []
    assert [splat.kind for _, splat in policy.find(warning)] == ["warning"]
    other = warning.replace("set_task_cpu", "swap_free")
    assert [*policy.find(f"[ 6.3] reboot: Power down\n{other}")] != []


@pytest.mark.parametrize("pattern", ["BUG: (KASAN", "BUG: [[KASAN]]"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, pattern: str) -> None:
    text = (ROOT / "configs/splats.toml").read_text()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/splats.toml").write_text(text.replace("'BUG: KASAN: '", f"'{pattern}'"))
    with pytest.raises(BadInput, match="is not a regular expression"):
        splats.load(tmp_path)


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?i)AA"])
def test_a_pattern_that_cannot_be_one_of_many_is_found_all_the_same(pattern: str) -> None:
    rules = (SplatRule("one", pattern, "x"), SplatRule("other", "nothing", "x"))
    assert len([*SplatPolicy(deny=rules).find("b\naa\n")]) == 1


def test_a_console_of_a_million_lines_is_read_in_seconds() -> None:
    began_s = time.process_time()
    assert [*splats.load(ROOT).find("\n" * 1_000_000)] == []
    assert time.process_time() - began_s < 5
