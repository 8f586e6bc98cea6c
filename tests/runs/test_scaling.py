# SPDX-License-Identifier: GPL-2.0-only
"""How a run scales: which stored runs make a curve with it, and what becomes of the rest."""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchbench.errors import BadInput
from patchbench.model import NEVER, Comparison, Scale
from patchbench.report.formats import html
from patchbench.runs import publishing, reading, scaling
from patchbench.stages.compare import compare
from tests import recorded
from tests.fakes import lost, machine, plan
from tests.storms import beside, scaled, storms

pytestmark = pytest.mark.slow

FASTER = machine("exact", icount_shift=0)


def values(scales: tuple[Scale, ...], on: str = "exact") -> list[int]:
    """Return where the one curve on a machine has its points."""
    found = [[point.value for point in one.points] for one in scales if one.machine == on]
    assert len(found) <= 1
    return found[0] if found else []


def scales(compared: Comparison) -> tuple[Scale, ...]:
    assert compared.scaling
    return compared.scaling.scales


def section(compared: Comparison) -> str:
    """Return the page's section; the rest of the page, drawn of no boots, takes no time."""
    text = html.render(replace(compared, deltas=()), [])
    return text[text.index("<h2>Scaling") :].partition("</section>")[0]


def test_three_points_make_a_curve_on_every_machine() -> None:
    run, _ = storms()
    compared = scaled(run, beside(run, 8), beside(run, 4))
    assert values(scales(compared)) == values(scales(compared), "parallel") == [2, 4, 8]
    text = section(compared)
    assert text.count("<svg") == 2
    assert "exact: times by victims" in text
    assert 'colspan="2">exit latency, ms</th>' in text
    assert ">172.001</a>" in text
    assert "One more:" not in text


def test_every_number_of_a_curve_leads_to_its_run_and_command() -> None:
    run, _ = storms()
    text = section(scaled(run, beside(run, 8), beside(run, 4)))
    assert 'id="run-1"><code>20260104T000000-v0-against-none-mainline</code>' in text
    assert "<code>./bootstrap bench --set victims=4</code>" in text
    assert text.count('href="#run-1"') == 2 * (3 * 2 + 1)


def test_two_points_make_the_command_for_a_third() -> None:
    run, _ = storms()
    compared = scaled(run, beside(run, 4))
    text = section(compared)
    assert "<svg" not in text
    assert "There are exact at 2, 4; parallel at 2, 4. One more:" in text
    assert "./bootstrap bench --set victims=N</pre>" in text


def test_no_other_point_makes_the_command_for_the_workloads_first_parameter() -> None:
    run, _ = storms()
    again = replace(run, plan=replace(run.plan, command="./bootstrap bench --set victims=2"))
    text = section(scaled(again))
    assert "No stored run that can be read differs from this one" in text
    assert "./bootstrap bench --set victims=N</pre>" in text


def test_a_machine_that_only_this_run_has_is_said_to_lack_points() -> None:
    run, _ = storms()
    on_exact = [beside(run, number, machines=run.plan.machines[:1]) for number in (4, 8)]
    text = section(scaled(run, *on_exact))
    assert text.count("<svg") == 1
    assert "a curve takes 3 points. There are parallel at 2. One more:" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"machines": (FASTER,)},
        {"guest": "another"},
        {"flavour": "debug"},
        {"toolchain": {"qemu": "11"}},
        {"base": replace(plan().base, image="another")},
        {"test": replace(plan().test, image="another kernel, or an edited series")},
    ],
)
def test_a_run_under_other_conditions_is_no_point(changes: dict[str, Any]) -> None:
    run, _ = storms()
    assert scales(scaled(run, beside(run, 4, **changes))) == ()


def test_another_host_matters_on_a_noisy_machine_only() -> None:
    run, _ = storms()
    compared = scaled(run, beside(run, 4, host={"cores": "64"}))
    assert values(scales(compared)) == [2, 4]
    assert values(scales(compared), "parallel") == [2]


def test_runs_that_differ_in_two_parameters_or_in_which_there_are_are_no_points() -> None:
    run, _ = storms()
    ours = replace(run.plan.workload, parameters={"victims": 2, "mib": 32})
    for theirs, parameter in (
        ({"victims": 4, "mib": 32}, "victims"),
        ({"victims": 2, "mib": 64}, "mib"),
        ({"victims": 4, "mib": 64}, ""),
        ({"victims": 2, "mib": 32}, ""),
        ({"victims": 2}, ""),
        ({"victims": 2, "pages": 32}, ""),
    ):
        workload = replace(ours, parameters=theirs)
        one, other = replace(run.plan, workload=ours), replace(run.plan, workload=workload)
        assert scaling.parameter(one, other, run.plan.machines[0]) == parameter


def test_the_same_program_under_another_name_is_the_same_workload() -> None:
    run, _ = storms()
    workload = replace(run.plan.workload, name="storm-four", parameters={"victims": 4})
    assert values(scales(scaled(run, beside(run, 4, workload=workload)))) == [2, 4]


def test_a_clock_that_never_stopped_is_in_the_curve_the_table_and_its_words() -> None:
    run, _ = storms()
    compared = scaled(run, beside(run, 4), beside(run, 6))
    text = section(compared)
    assert ">never<" in text.partition("<table")[0]
    assert "victims 6: exit latency: none 258 ms" in text
    assert "memory back: v0 never" in text
    assert 'class="never" href="#run-2">never</a>' in text
    assert "133.075 (never in 2)</a>" in text  # of ten boots, which a median hides
    deltas = scales(compared)[0].points[-1].deltas
    (drain,) = (one for one in deltas if one.metric.name == "drain_ns")
    assert drain.test == NEVER
    assert math.isfinite(drain.base)


def test_an_invalid_run_is_counted_and_has_no_point() -> None:
    run, _ = storms()
    broken = beside(run, 6)
    broken = compare(broken.plan, [lost("none", 1), lost("v0", 1)])
    compared = scaled(run, beside(run, 4), beside(run, 8), broken)
    assert values(scales(compared)) == [2, 4, 8]
    text = section(compared)
    assert "Skipped, invalid:</strong> 1" in text
    assert f"{broken.plan.run}: 2 boots gave no usable samples" in text


def test_an_invalid_run_has_no_point_in_its_own_report() -> None:
    run, _ = storms()
    run = replace(run, invalid=("it was cut off",))
    compared = scaled(run, *(beside(run, number) for number in (4, 6, 8)))
    assert values(scales(compared)) == [4, 6, 8]
    assert f"{run.plan.run}: it was cut off" in section(compared)


def test_of_two_runs_with_one_point_the_longer_is_drawn_and_the_other_counted() -> None:
    run, _ = storms()
    short = dict.fromkeys(run.plan.seeds, (1, 2))
    newer = beside(run, 4, run="20270101T000000-v0-against-none-mainline", seeds=short)
    compared = scaled(run, beside(run, 4), newer)
    assert [point.run for point in scales(compared)[0].points][1].startswith("20260104")
    assert compared.scaling
    assert [line.partition(":")[0] for line in compared.scaling.repeats] == [newer.plan.run] * 2


def test_an_invalid_run_gives_its_point_to_the_next() -> None:
    run, _ = storms()
    spoiled = replace(beside(run, 4), invalid=("it was cut off",))
    shorter = dict.fromkeys(run.plan.seeds, (1, 2))
    good = beside(run, 4, run="20260104T999999-v0", seeds=shorter)
    assert scales(scaled(run, spoiled, good))[0].points[1].run == good.plan.run


def test_a_page_whose_run_was_looked_at_alone_says_so() -> None:
    run, _ = storms()
    assert "No other run was read." in section(run)


def test_the_same_runs_give_the_same_bytes() -> None:
    run, _ = storms()
    others = [beside(run, number) for number in (4, 6, 8)]
    assert section(scaled(run, *others)) == section(scaled(run, *reversed(others)))


def recorded_run(checkout: Path) -> Comparison:
    return reading.comparison(checkout, checkout / "results/runs" / recorded.RUN)


def test_stored_runs_are_found_and_those_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    checkout = recorded.root(tmp_path)
    first, edited, broken = (f"2026112{day}T000000-v0" for day in (4, 5, 6))
    recorded.add_victims(checkout, first, 4)
    folder = recorded.add_victims(checkout, edited, 8)
    log = next(folder.glob("boots/exact/v0/*/results.log"))
    log.write_text(log.read_text().replace("patchbench 1\n", "patchbench 1\nmeta edited yes\n"))
    (recorded.add_victims(checkout, broken, 16) / "plan.json").write_text("{")
    compared = scaling.add(checkout, recorded_run(checkout))
    assert compared.scaling
    assert values(compared.scaling.scales) == [4, 10]
    assert [line.split(" ")[0] for line in compared.scaling.invalid] == [f"{edited}:", f"{broken}:"]
    assert f"{edited}: cannot be read: results/runs/{edited}/boots/" in compared.scaling.invalid[0]


def test_a_published_run_has_a_point_as_well(tmp_path: Path) -> None:
    checkout = recorded.root(tmp_path)
    folder = recorded.add_victims(checkout, "20261124T000000-v0", 4)
    publishing.publish(checkout, folder, "four")
    shutil.rmtree(folder)
    compared = scaling.add(checkout, recorded_run(checkout))
    assert values(scales(compared)) == [4, 10]


def test_only_the_logs_of_runs_that_fit_are_read() -> None:
    run, _ = storms()
    others = [beside(run, 4).plan, beside(run, 8, guest="another").plan]

    def read(name: str) -> Comparison:
        if name != others[0].run:
            raise AssertionError(name)
        return beside(run, 4)

    assert values(scaling.find(run, others, read).scales) == [2, 4]


def test_a_run_that_is_gone_when_it_is_read_is_named() -> None:
    run, _ = storms()

    def read(_: str) -> Comparison:
        raise BadInput("it is gone\n  look for it")

    found = scaling.find(run, [beside(run, 4).plan], read)
    assert [line.partition(": ")[2] for line in found.invalid] == ["cannot be read: it is gone"]
