# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report: what is on the page, and what is never on it."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from patchbench.model import Boot, CodeMap, Comparison, Metric, Sample
from patchbench.report import page as report_page
from patchbench.report.formats import html
from patchbench.stages.compare import compare
from tests.fakes import boot, lost, plan, results
from tests.recorded import PROJECT
from tests.storms import storms

pytestmark = pytest.mark.slow


@cache
def page() -> str:
    return html.render(*storms())


def without_plots(**changes: Any) -> str:
    """Return the page of a run with these changes, except what is drawn and listed of boots."""
    run, _ = storms()
    return html.render(replace(run, deltas=(), **changes), [])


def test_the_result_comes_before_every_table() -> None:
    text = page()
    assert text.index("Memory takes 36 % longer to come back") < text.index("<table")


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
    comparison, _ = storms()
    assert {one for one in links if one.startswith("s")} == targets
    shown = [one for one in comparison.deltas if not one.equal]
    rows = len(shown) + len([one for one in shown if one.per_page])
    equal = len(comparison.deltas) - len(shown)
    assert len([one for one in links if one in targets]) == 4 * rows + equal
    assert "87010000 87011000 87012000" in text


def test_a_page_loads_and_runs_nothing() -> None:
    comparison, boots = storms()
    text = html.render(
        replace(comparison, profiles={"v0": "<svg><script>alert(1)</script></svg>"}), boots
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    assert not re.search(r"<script|<link|@import|url\((?!#)|src=\"(?!data:)|href=\"(?!#)", text)


def test_a_flame_graph_has_its_slot_only_if_it_was_made() -> None:
    assert "This run made none." in page()
    text = without_plots(profiles={"v0": "<svg/>"})
    assert 'alt="Flame graph: v0"' in text


def test_a_metric_is_drawn_where_its_note_asks_for_a_plot() -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", html.render(*storms(curve=True)))
    assert [one for one in headings if one in ("Exit latency", "CPU time", "Free memory")] == [
        "Exit latency",
        "CPU time",
        "Free memory",
    ]
    without_curve = re.findall(r"<h2>(.*?)</h2>", page())
    assert "Free memory" not in without_curve
    assert "Memory back" not in without_curve


def test_nothing_that_a_guest_says_is_markup() -> None:
    evil = "<img/src=x>"
    comparison, boots = storms()

    def spoil(one: Boot) -> Boot:
        metrics = (*one.record.metrics, Metric(evil, evil, "lower"))
        samples = (*one.record.samples, Sample(evil, 1.0))
        return replace(one, record=replace(one.record, metrics=metrics, samples=samples))

    boots = [spoil(one) for one in boots]
    spoiled = replace(
        compare(comparison.plan, boots), facts={"exact v0": {evil: evil}}, failures=(evil,)
    )
    text = html.render(spoiled, boots)
    assert evil not in text
    assert "&lt;img/src=x&gt;" in text


def test_an_invalid_run_says_so_before_its_finding() -> None:
    boots = [boot("none", 1, results()), lost("v0", 1)]
    text = html.render(compare(plan(seeds=1), boots), boots)
    assert text.index("Invalid:") < text.index('class="finding"')
    assert "Lost boots:</strong> 1" in text


def test_a_long_list_of_lost_boots_is_folded() -> None:
    for count, tag in ((3, "<details open>"), (4, "<details>")):
        assert tag in without_plots(failures=("it hung",) * count)


def test_boots_that_shared_their_host_come_before_the_result() -> None:
    text = without_plots(overloads=("parallel v0 seed 3: load 7",))
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
    assert "<code>do_exit</code></td><td>changed</td><td>+96</td>" in page()
    assert "swapfile.c: swaps_open" in page()
    assert "This run did not keep them." in without_plots(code=None)


def test_a_lost_boot_is_a_word_among_the_samples() -> None:
    boots = [boot("none", 1, results()), boot("none", 2, results()), boot("v0", 1, results())]
    boots.append(lost("v0", 2))
    (one,) = report_page.machines(compare(plan(seeds=2), boots), boots)
    assert one.samples[0].rows == ((1, "100", "100"), (2, "100", "lost"))
