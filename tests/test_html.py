# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report: what is on the page, and what is never on it."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

from patchbench.model import Boot, CodeMap, Comparison, Metric, Sample
from patchbench.report import page as report_page
from patchbench.report.formats import html
from patchbench.stages.compare import compare
from tests.fakes import boot, lost, plan, results
from tests.recorded import PROJECT
from tests.storms import storms


@cache
def page() -> str:
    return html.render(*storms())


def test_the_finding_comes_before_every_table() -> None:
    text = page()
    assert text.index("memory never came back whole in 2 of 10 boots") < text.index("<table")


def test_the_same_run_gives_the_same_bytes_in_another_process() -> None:
    again = "import sys; from tests.test_html import page; sys.stdout.write(page())"
    env = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", again], cwd=PROJECT, env=env, capture_output=True, check=True
    )
    assert done.stdout.decode() == page()


def test_every_number_leads_to_its_samples() -> None:
    text = page()
    targets = set(re.findall(r' id="(s\d+-\d+)"', text))
    links = re.findall(r'href="#([^"]+)"', text)
    told, _ = storms()
    assert {one for one in links if one.startswith("s")} == targets
    assert len([one for one in links if one in targets]) == 4 * len(told.deltas)
    assert "87010000 87011000 87012000" in text


def test_a_page_loads_and_runs_nothing() -> None:
    told, boots = storms()
    text = html.render(
        replace(told, profiles={"v0": "<svg><script>alert(1)</script></svg>"}), boots
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    assert not re.search(r"<script|<link|@import|url\((?!#)|src=\"(?!data:)|href=\"(?!#)", text)


def test_a_flame_graph_has_its_slot_only_if_it_was_made() -> None:
    told, boots = storms()
    assert "None were made in this run." in page()
    text = html.render(replace(told, profiles={"v0": "<svg/>"}), boots)
    assert 'alt="Flame graph: v0"' in text


def test_what_the_workload_does_not_measure_is_said_and_not_drawn() -> None:
    boots = [boot(arm, 1, results().replace("exit_ns", "other")) for arm in ("none", "v0")]
    text = html.render(compare(plan(seeds=1), boots), boots)
    assert text.count("ot measured by this workload") == 3
    assert html.render(*storms(curve=True)).count("ot measured by this workload") == 0


def test_nothing_that_a_guest_says_is_markup() -> None:
    evil = "<img/src=x>"
    told, boots = storms()

    def spoil(one: Boot) -> Boot:
        metrics = (*one.record.metrics, Metric(evil, evil, "lower"))
        samples = (*one.record.samples, Sample(evil, 1.0))
        return replace(one, record=replace(one.record, metrics=metrics, samples=samples))

    boots = [spoil(one) for one in boots]
    spoiled = replace(compare(told.plan, boots), facts={"exact v0": {evil: evil}}, failures=(evil,))
    text = html.render(spoiled, boots)
    assert evil not in text
    assert "&lt;img/src=x&gt;" in text


def test_an_invalid_run_says_so_before_its_finding() -> None:
    boots = [boot("none", 1, results()), lost("v0", 1)]
    text = html.render(compare(plan(seeds=1), boots), boots)
    assert text.index("Invalid:") < text.index('class="finding"')
    assert "Lost boots:</strong> 1" in text


def test_a_long_list_of_lost_boots_is_folded() -> None:
    told, boots = storms()
    for count, tag in ((3, "<details open>"), (4, "<details>")):
        assert tag in html.render(replace(told, failures=("it hung",) * count), boots)


def test_boots_that_shared_their_host_are_told_before_the_finding() -> None:
    told, boots = storms()
    text = html.render(replace(told, overloads=("parallel v0 seed 3: load 7",)), boots)
    assert text.index("parallel v0 seed 3: load 7") < text.index('class="finding"')


def test_two_equal_kernels_make_a_short_page() -> None:
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
    text = html.render(same, [])
    assert "There is nothing to measure: they are the same." in text
    assert "Samples" not in text


def test_changed_functions_are_listed_and_a_run_without_them_says_so() -> None:
    told, boots = storms()
    assert "<code>do_exit</code></td><td>changed</td><td>+96</td>" in page()
    assert "swapfile.c: swaps_open" in page()
    assert "This run did not keep them." in html.render(replace(told, code=None), boots)


def test_a_lost_boot_is_a_word_among_the_samples() -> None:
    boots = [boot("none", 1, results()), boot("none", 2, results()), boot("v0", 1, results())]
    boots.append(lost("v0", 2))
    (room,) = report_page.rooms(compare(plan(seeds=2), boots), boots)
    assert room.samples[0].rows == ((1, "100", "100"), (2, "100", "lost"))
