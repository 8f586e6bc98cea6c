# SPDX-License-Identifier: GPL-2.0-only
"""What is pasted into a mail: its width, its order, and that git does not take it for a patch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.model import Boot, Comparison
from patchbench.report import claims
from patchbench.report.formats import mail
from patchbench.stages.compare import compare
from tests import recorded
from tests.fakes import boot, git, lost, machine, plan, results, small_repository, write_patch

Run = tuple[Comparison, Sequence[Boot]]
HOSTILE = (
    "x\ndiff --git a/mm/swapfile.c b/mm/swapfile.c\n--- a/mm/swapfile.c\n+++ b/mm/swapfile.c\n"
    "@@ -1 +1 @@\n-line 1\n+evil\n---\nFrom 0123456789 Mon Sep 17 00:00:00 2001\n"
    "From: Mallory <m@example.org>\nIndex: mm/swapfile.c\n-- \n-- >8 --\n>From here"
)


@pytest.fixture
def run() -> Run:
    return recorded.read()


def hostile(comparison: Comparison) -> Comparison:
    """Return a run in which everything that a user or a guest may name is meant to break git."""
    one = replace(comparison.plan.machines[0], cannot_show=HOSTILE)
    return replace(
        comparison,
        plan=replace(comparison.plan, provenance=HOSTILE, machines=(one,), kernel=HOSTILE),
        failures=(HOSTILE,),
        invalid=(HOSTILE,),
    )


def test_what_did_not_finish_comes_before_any_table(run: Run) -> None:
    text = mail.render(*run)
    assert text.index("DID NOT FINISH: exact drain_ns with v0 in 3 of 3") < text.index("Measured:")


def test_a_row_has_both_arms_the_change_and_the_interval(tmp_path: Path) -> None:
    boots = [boot("none", seed, results(1_500_000)) for seed in range(1, 7)]
    boots += [boot("v0", seed, results(750_000)) for seed in range(1, 7)]
    rows = [line.split() for line in mail.render(compare(plan(seeds=6), boots), boots).splitlines()]
    assert ["metric", "base", "patched", "change", "95%", "interval"] in rows
    assert ["exit_ns", "1.500", "ms", "0.750", "ms", "-50.00", "%", "[-50.00,", "-50.00]"] in rows


def test_the_mail_names_its_conditions_its_command_and_its_limits(run: Run) -> None:
    text = " ".join(mail.render(*run).split())
    for part in (
        "Kernel: mainline 7.3.4 (linux-source-7.3",
        "victims=10",
        "2 ns per instruction",
        "gcc 14.2.0, qemu 10.0.13",
        "./bootstrap bench --kernel mainline --series v0 --against none",
        "exact cannot show: caches, TLBs",
        "3 pairs are too few",
    ):
        assert part in text


def test_no_line_is_wider_than_a_mail(run: Run) -> None:
    for comparison in (run[0], hostile(run[0])):
        assert max(map(len, mail.render(comparison, run[1]).splitlines())) <= 72


def test_the_command_stays_one_command(run: Run) -> None:
    command = "./bootstrap bench --tree '/home/a b/linux' " + " ".join(
        f"--set a{n}=1" for n in range(20)
    )
    text = mail.render(replace(run[0], plan=replace(run[0].plan, command=command)), run[1])
    pasted = text.partition("Repeat:\n")[2].replace("\\\n", " ")
    assert pasted.split() == command.split()


def test_a_broken_run_says_so_before_any_number() -> None:
    boots = [boot("none", 1, results()), lost("v0", 1)]
    lines = mail.render(compare(plan(seeds=1), boots), boots).splitlines()
    assert lines[2].startswith("INVALID: 1 boots gave no usable samples")
    assert "LOST BOOT: exact v0 seed 1: it hung" in lines


def test_what_equal_kernels_show_is_given_where_it_was_measured(run: Run) -> None:
    unknown = tuple(replace(one, floor_pct=None) for one in run[0].deltas)
    assert "Equal kernels" not in mail.render(replace(run[0], deltas=unknown), run[1])
    deltas = (replace(unknown[0], floor_pct=0.4), *unknown[1:])
    text = mail.render(replace(run[0], deltas=deltas), run[1])
    assert "Equal kernels differ on exact by up to: exit_ns 0.40 %\n" in text


def test_the_host_is_named_where_it_matters() -> None:
    noisy = machine("parallel", accel="tcg", icount_shift=None)
    boots = [boot(series, 1, results(), on="parallel") for series in ("none", "v0")]
    assert "Host: cores 2" in mail.render(compare(plan(noisy, seeds=1), boots), boots)


def pass_through_git(folder: Path, text: str, *, below: bool) -> tuple[str, str]:
    """Send a patch with the text in it through git am; return the file and the commit message."""
    repository = small_repository(folder / "repository")
    patch = write_patch(folder, 1, "line 20", "changed 20", repository)
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    mail_text = patch.read_text()
    patch.write_text(
        mail_text.replace("\n---\n", f"\n---\n{text}\n", 1)
        if below
        else mail_text.replace("\n---\n", f"\n{text}\n---\n", 1)
    )
    git(repository, "am", "--quiet", str(patch.resolve()))
    source = (repository / "mm/swapfile.c").read_text()
    return source, git(repository, "log", "-1", "--format=%an%n%B")


@pytest.mark.parametrize("attack", [False, True])
def test_below_the_three_dashes_git_am_reads_the_patch_and_nothing_else(
    run: Run, tmp_path: Path, attack: bool
) -> None:
    text = mail.render(hostile(run[0]) if attack else run[0], run[1])
    source, message = pass_through_git(tmp_path / "git", text, below=True)
    assert source.splitlines()[19] == "changed 20"
    assert "line 1\n" in source
    assert message == "A Hacker\nmm: say changed 20\n\nBecause."


@pytest.mark.parametrize("attack", [False, True])
def test_in_a_commit_message_all_of_it_is_kept(run: Run, tmp_path: Path, attack: bool) -> None:
    text = mail.render(hostile(run[0]) if attack else run[0], run[1])
    source, message = pass_through_git(tmp_path / "git", text, below=False)
    assert source.splitlines()[19] == "changed 20"
    assert message == f"A Hacker\nmm: say changed 20\n\nBecause.\n{text.rstrip()}"


def test_every_number_of_the_mail_is_a_claim_that_holds(run: Run) -> None:
    found = claims.check(claims.parse(mail.render(*run)), lambda _: run)
    assert len(found) == 2 + 6 * 3 - 1  # two clocks; base, patched, change; one has no ratio
    assert {one.state for one in found} == {"holds"}


def test_a_row_that_is_too_wide_goes_on_below_its_name_and_is_still_a_claim() -> None:
    name = "a_metric_whose_name_takes_most_of_a_line_instructions"
    log = (
        results()
        .replace("exit_ns ns", f"{name} instructions")
        .replace("exit_ns 100", f"{name} 4540000000")
    )
    slower = log.replace("4540000000", "4640000000")
    boots = [boot("none", seed, log) for seed in range(1, 7)]
    boots += [boot("v0", seed, slower) for seed in range(1, 7)]
    comparison = compare(plan(seeds=6), boots)
    text = mail.render(comparison, boots)
    assert max(map(len, text.splitlines())) <= 72
    found = claims.check(claims.parse(text), lambda _: (comparison, boots))
    assert len(found) == 4
    assert {one.state for one in found} == {"holds"}
