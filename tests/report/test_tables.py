# SPDX-License-Identifier: GPL-2.0-only
"""What a reader sees."""

import json
from dataclasses import replace

from patchbench.model import NEVER, CodeMap, Comparison, FunctionChange
from patchbench.report import numbers, tables
from patchbench.stages.compare import compare
from tests.fakes import boot, lost, plan, results
from tests.storms import storms


def storm(drain_ns: object = 200) -> Comparison:
    boots = [boot("none", seed, results(1_500_000)) for seed in range(1, 7)]
    boots += [boot("v0", seed, results(750_000, drain_ns, counter=3)) for seed in range(1, 7)]
    return compare(plan(seeds=6, engaged="async_swap_count"), boots)


def test_the_json_has_what_a_machine_needs_and_no_infinity() -> None:
    text = json.dumps(tables.as_json(storm("never")), allow_nan=False)
    read = json.loads(text)
    assert read["metrics"][0] == {
        "machine": "exact", "name": "exit_ns", "label": "exit_ns", "unit": "ns",
        "better": "lower", "per_page": None,
        "base": 1_500_000, "test": 750_000, "change_pct": -50, "low_pct": -50, "high_pct": -50,
        "pairs": 6, "note": "every pair gave the same ratio, so the seeds vary nothing",
        "floor_pct": None,
    }  # fmt: skip
    assert read["metrics"][1]["test"] == "never"
    assert read["engaged"] == {"exact": True}
    assert read["valid"] is True
    for name in ("run", "kernel_version", "base", "test", "workload", "seeds", "splats"):
        assert name in read


def test_what_did_not_finish_comes_before_every_number() -> None:
    text = tables.markdown(storm("never"))
    assert text.index("DID NOT FINISH: exact: drain_ns") < text.index("| machine | metric")


def test_the_table_as_text_has_a_line_for_each_metric_in_columns() -> None:
    heading, *rows = tables.lines(storm())
    assert heading.split() == [
        "machine",
        "metric",
        "base",
        "test",
        "change",
        "95%",
        "interval",
        "A/A",
        "noise",
    ]
    assert any("exit_ns" in row and "-50.00 %" in row for row in rows)
    assert len({len(line) for line in (heading, *rows)}) == 1


def test_the_table_as_text_says_first_what_did_not_finish() -> None:
    assert tables.lines(storm("never"))[0].startswith("DID NOT FINISH: exact: drain_ns")


def test_an_invalid_run_says_so_first() -> None:
    bad = compare(plan(seeds=1), [boot("none", 1, results()), lost("v0", 1)])
    assert tables.markdown(bad).splitlines()[2].startswith("> **INVALID")


def test_the_report_names_what_it_cannot_show_and_how_to_repeat_it() -> None:
    text = tables.markdown(storm())
    assert "What this cannot show\n\n- exact: anything" in text
    assert "Repeat it: `./bootstrap bench`" in text


def test_metrics_that_lack_a_number_for_one_reason_are_one_line() -> None:
    assert tables.notes(storm(100)) == [
        "exact exit_ns, drain_ns: every pair gave the same ratio, so the seeds vary nothing"
    ]


def test_the_table_is_a_table() -> None:
    lines = tables.markdown(storm()).splitlines()
    top = next(number for number, line in enumerate(lines) if line.startswith("| machine | metric"))
    columns = lines[top].count("|")
    assert [line.count("|") for line in lines[top : top + 3]] == [columns] * 3
    assert "1.500 ms | 0.750 ms | -50.00 % | [-50.00, -50.00]" in lines[top + 2]


def test_what_is_equal_in_both_arms_is_one_line_below_the_table() -> None:
    lines = tables.markdown(storm()).splitlines()
    assert [line for line in lines if "drain_ns" in line] == [
        "- exact, equal in both arms: drain_ns 200 ns"
    ]


def test_what_was_left_undone_comes_before_the_table_with_its_numbers_per_freed_page() -> None:
    comparison, _ = storms()
    text = tables.markdown(comparison)
    left = "LEFT UNDONE: exact: v0 left 1.2 % of the pages in swap, none 0.0 %"
    assert text.index(left) < text.index("| machine | metric")
    assert "| exact | cpu_ns per freed page | 0.184 ms | 0.184 ms |" in text


def test_a_note_says_what_a_metric_is() -> None:
    comparison, _ = storms(curve=True)
    assert "- `exit_ns`, exit latency: from the kill of a victim" in tables.markdown(comparison)


def test_quantities_carry_their_unit() -> None:
    assert numbers.quantity(1_234_567, "ns") == "1.235 ms"
    assert numbers.quantity(15_432, "ns") == "15432 ns"
    assert numbers.quantity(31, "pages") == "31 pages"
    assert numbers.quantity(NEVER, "ns") == "never"


def test_changes_without_a_number_have_a_word() -> None:
    assert numbers.per_cent(None) == "-"
    assert numbers.per_cent(NEVER) == "to never"
    assert numbers.per_cent(0.0) == "+0.00 %"


CODE = CodeMap(
    equal=False,
    functions=(
        FunctionChange("do_exit", "exit.c", "changed", 100, 132),
        FunctionChange("swaps_open", "swapfile.c", "constants", 80, 80),
        FunctionChange("swap_gather", "swapfile.c", "appeared", 0, 40),
    ),
)


def test_functions_that_changed_are_apart_from_those_with_other_numbers() -> None:
    text = tables.markdown(replace(storm(), code=CODE))
    assert "3 functions differ: 1 changed, 1 new, 1 with other constants only; +72 bytes" in text
    assert (
        "| exit.c | do_exit | changed | +32 |\n| swapfile.c | swap_gather | appeared | +40 |"
        in text
    )
    assert "- swapfile.c: swaps_open\n" in text
    read = json.loads(json.dumps(tables.as_json(replace(storm(), code=CODE))))
    assert read["code"]["functions"][0]["name"] == "do_exit"


def test_a_run_that_kept_no_code_says_so() -> None:
    assert "This run did not keep them." in tables.markdown(storm())
    assert tables.as_json(storm())["code"] is None


def test_nothing_to_measure_comes_first_and_leaves_out_the_table() -> None:
    same = Comparison(
        plan(),
        (),
        {},
        (),
        (),
        (),
        (),
        nothing_to_measure="they are the same",
        code=CodeMap(True, ()),
    )
    text = tables.markdown(same)
    assert text.splitlines()[2] == "> **NOTHING TO MEASURE: they are the same**"
    assert "| machine | metric" not in text
    assert tables.as_json(same)["nothing_to_measure"] == "they are the same"
