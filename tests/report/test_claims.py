# SPDX-License-Identifier: GPL-2.0-only
"""Which numbers of a cover letter are believed."""

import quopri
import time
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from patchbench.errors import BadInput, ClaimFails
from patchbench.model import Boot, Comparison
from patchbench.report import claims
from patchbench.stages.compare import compare
from tests import recorded
from tests.fakes import boot, lost, plan, results

Run = tuple[Comparison, Sequence[Boot]]
RUN = "20261123T115314"


@pytest.fixture
def run() -> Run:
    return recorded.read()


def states(text: str, comparison: Run) -> list[str]:
    def read(name: str) -> Run:
        if not recorded.RUN.startswith(name):
            raise BadInput(f"no run is called {name!r}")
        return comparison

    return [one.state for one in claims.check(claims.parse(text), read)]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("126.332 ms", "exit_ns base"),
        ("126 ms", "exit_ns base"),
        ("126331728 ns", "exit_ns base"),
        ("126,331,728 ns", "exit_ns base"),
        ("0.13 s", "exit_ns base"),
        ("117.8ms", "exit_ns patched"),
        ("-6.10 %", "exit_ns change"),
        ("-6.1%", "exit_ns change"),
        ("\N{MINUS SIGN}6 %", "exit_ns change"),
        ("5,120 pages", "residue_pages patched"),
        ("never", "drain_ns patched"),
        ("to never", "drain_ns change"),
        ("3 of 3 boots", "drain_ns patched-never"),
        ("0 of 3", "drain_ns base-never"),
    ],
)
def test_a_number_holds_within_the_rounding_it_is_printed_with(
    run: Run, number: str, what: str
) -> None:
    assert states(f"so it is {number} [run {RUN} exact {what}].", run) == ["holds"]
    assert states(f"it is {number}<!-- [run {RUN} exact {what}] --> here", run) == ["holds"]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("126.331 ms", "exit_ns base"),
        ("127 ms", "exit_ns base"),
        ("117.826 ms", "exit_ns base"),
        ("6.10 %", "exit_ns change"),
        ("-6.2 %", "exit_ns change"),
        ("never", "exit_ns patched"),
        ("130 ms", "drain_ns patched"),
        ("-5 %", "drain_ns change"),
        ("2 of 3 boots", "drain_ns patched-never"),
        ("3 of 10 boots", "drain_ns patched-never"),
        ("[-7, -5]", "exit_ns interval"),
    ],
)
def test_a_number_that_is_another_does_not_hold(run: Run, number: str, what: str) -> None:
    assert states(f"so it is {number} [run {RUN} exact {what}].", run) == ["FAILS"]


@pytest.mark.parametrize(
    "text",
    [
        f"-5 % [run {RUN} exact exit_ns]",
        f"-5 % [run {RUN} exact exit_ns shift]",
        f"-5 % [run {RUN} exact exit_ns change",
        f"two fifths [run {RUN} exact exit_ns change]",
        f"126 % [run {RUN} exact exit_ns base]",
        f"126 miles [run {RUN} exact exit_ns base]",
        f"5120 [run {RUN} exact residue_pages patched]",
        f"3 boots [run {RUN} exact drain_ns patched-never]",
        "-5 % [run latest exact exit_ns change]",
        f"Measured: {RUN}",
        f"Measured: {RUN} exact",
        f"Measured: {RUN} exact\nmetric  base  patched\nexit_ns  126 ms  118 ms",
    ],
)
def test_a_mark_that_is_not_understood_is_malformed_and_not_passed_over(
    run: Run, text: str
) -> None:
    assert states(text, run) == ["malformed"]


@pytest.mark.parametrize(
    "text",
    [
        "-5 % [run 20270101T000000 exact exit_ns change]",
        f"-5 % [run {RUN} parallel exit_ns change]",
        f"-5 % [run {RUN} exact nosuch_ns change]",
    ],
)
def test_what_no_run_measured_is_unknown(run: Run, text: str) -> None:
    assert states(text, run) == ["unknown"]


def test_a_mark_survives_quoting_and_wrapping(run: Run) -> None:
    text = f"> > exits take -6.10 %\n> > [run {RUN} exact\n> >  exit_ns change], and\n"
    assert states(text, run) == ["holds"]


TABLE = (
    f"Measured: {RUN} exact\n"
    "metric   base    patched  change  95% interval\n"
    "exit_ns  126 ms  118 ms   -6 %    -\n"
)


def test_a_table_survives_quoting_and_indenting_and_ends_at_a_blank_line(run: Run) -> None:
    for before in ("", "    ", "> ", ">> > "):
        text = "".join(f"{before}{line}\n" for line in f"{TABLE}\nnot a row".splitlines())
        assert states(text, run) == ["holds"] * 3


def test_a_table_ends_where_the_next_one_begins(run: Run) -> None:
    assert states(TABLE + TABLE, run) == ["holds"] * 6


@pytest.mark.parametrize("line", ["Measured: a b\n", TABLE])
def test_a_text_of_nothing_but_tables_is_read_in_a_time_that_grows_with_it(line: str) -> None:
    began_s = time.process_time()
    claims.parse(line * (131072 // len(line)))
    assert time.process_time() - began_s < 1


def test_a_changed_cell_of_a_table_is_found_out(run: Run) -> None:
    found = claims.check(claims.parse(TABLE.replace("-6 %", "-8 %")), lambda _: run)
    assert [one.state for one in found] == ["holds", "holds", "FAILS"]
    assert found[2].row() == ("3", "FAILS", "exact exit_ns change", "-8 %", "-6.10 %")


def test_a_changed_row_of_a_table_is_malformed(run: Run) -> None:
    assert states(TABLE.replace("118 ms", "118"), run) == ["malformed"]


def test_an_interval_is_both_of_its_ends() -> None:
    boots = [boot("none", seed, results(1000 + seed)) for seed in range(1, 7)]
    boots += [boot("v0", seed, results((1000 + seed) // 2)) for seed in range(1, 7)]
    comparison = compare(plan(seeds=6), boots)
    low, high = comparison.deltas[0].low_pct, comparison.deltas[0].high_pct
    for text, state in ((f"[{low:.3f}, {high:.3f}]", "holds"), (f"[{low:.3f}, -49]", "FAILS")):
        mark = claims.mark(comparison.plan.run, "exact", "exit_ns", "interval")
        (found,) = claims.check(claims.parse(f"{text} {mark}"), lambda _: (comparison, boots))
        assert found.state == state


def test_no_number_of_an_invalid_run_holds() -> None:
    boots = [boot("none", 1, results()), boot("v0", 1, results()), lost("v0", 2)]
    comparison = compare(plan(seeds=1), boots)
    mark = claims.mark(comparison.plan.run, "exact", "exit_ns", "base")
    found = claims.check(claims.parse(f"100 ns {mark}"), lambda _: (comparison, boots))
    assert found[0].state == "FAILS"
    assert "the run is invalid: 1 boots gave no" in claims.reasons(found)[0]


@given(some.integers(1, 10**12), some.integers(0, 4))
def test_whatever_is_printed_with_some_decimals_holds(value: int, decimals: int) -> None:
    boots = [boot(series, 1, results(value)) for series in ("none", "v0")]
    comparison = compare(plan(seeds=1), boots)
    mark = claims.mark(comparison.plan.run, "exact", "exit_ns", "base")
    text = f"{value / 1e6:.{decimals}f} ms {mark}"
    assert [
        one.state for one in claims.check(claims.parse(text), lambda _: (comparison, boots))
    ] == ["holds"]


def test_the_worst_claim_decides_the_status(run: Run, tmp_path: Path) -> None:
    good = f"-6 % [run {RUN} exact exit_ns change]\n"
    wrong, broken = good.replace("-6", "-8"), "-5 % [run]\n[run "

    def status(text: str) -> int:
        found = claims.check(claims.parse(text), lambda _: run)
        error = claims.error(found, tmp_path)
        return error.exit_code if error else 0

    assert status(good) == 0
    assert status(good + wrong) == ClaimFails.exit_code == 10
    assert status(good + broken) == BadInput.exit_code == 20
    assert status(good + broken + wrong) == 10
    assert status("It is 5 % faster.") == 20


def test_a_mail_that_was_encoded_for_transport_is_decoded(tmp_path: Path, run: Run) -> None:
    body = f"Grüße, -6.10 % [run {RUN} exact exit_ns change]\n" + "x" * 90 + f"\n{TABLE}"
    head = (
        "From: A Hacker <hacker@example.org>\nSubject: [PATCH 0/2] mm: swap\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    )
    mail = tmp_path / "cover.eml"
    mail.write_bytes(head.encode() + quopri.encodestring(body.encode()))
    assert "=C3" in mail.read_text()
    assert states(claims.read_mail(mail), run) == ["holds"] * 4


def test_a_part_of_a_mail_that_was_encoded_is_decoded(tmp_path: Path, run: Run) -> None:
    letter = EmailMessage()
    letter["Subject"] = "[PATCH 0/2] mm: swap"
    letter.set_content(f"{TABLE}\nso -6.1 % [Run {RUN} exact exit_ns change].\n", cte="base64")
    letter.add_attachment(b"x", maintype="text", subtype="x-patch", filename="1.patch")
    mail = tmp_path / "cover.eml"
    mail.write_bytes(letter.as_bytes())
    assert RUN not in mail.read_text()
    assert states(claims.read_mail(mail), run) == ["holds"] * 4


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        claims.read_mail(tmp_path / "nosuch")
