# SPDX-License-Identifier: GPL-2.0-only
"""What other tools read: each format is read back, by its own library where there is one."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from junitparser import Error, Failure, JUnitXml

from patchbench.errors import BadInput, UnknownName
from patchbench.model import Boot, CodeMap, Comparison, FunctionChange, Record
from patchbench.report import formats, samples
from patchbench.stages.compare import compare
from tests import engine, recorded
from tests.fakes import boot, lost, plan, results
from tests.storms import NOTES

Run = tuple[Comparison, Sequence[Boot]]


@pytest.fixture
def run() -> Run:
    return recorded.read()


@pytest.fixture
def broken() -> Run:
    """A run in which one boot hung, one splatted, and one clock did not stop."""
    nothing = Record(complete=False, metrics=(), samples=(), meta={}, last_line="")
    splat = Boot("exact", "v0", 3, nothing, "the kernel, it \x1b complained", 24, ("WARNING: <&",))
    boots = [
        *(boot("none", seed, results()) for seed in (1, 2, 3)),
        boot("v0", 1, results(drain_ns="never")),
        lost("v0", 2),
        splat,
    ]
    return compare(plan(seeds=3), boots), boots


def test_every_format_renders_a_real_run_to_whole_lines(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.draw_nothing(monkeypatch)
    for name in formats.names():
        assert formats.find(name)(*run).endswith("\n"), name


def test_every_format_tells_of_lost_boots_and_of_what_never_ended(
    broken: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.draw_nothing(monkeypatch)
    for name in set(formats.names()) - {"trace"}:  # which shows one good boot of each arm
        text = formats.find(name)(*broken)
        assert "it hung" in text, name
        assert "never" in text.lower() or "+Inf" in text or name == "junit", name


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no format is called 'xls'\n.*csv.*kcidb.*mail"):
        formats.find("xls")
    with pytest.raises(UnknownName):
        formats.find("../report")


HOSTILE = "=1+1|<img src=x>[a](http://x)\x1b[2J\rMeasured: forged exact\x85Subject: forged"


def hostile() -> Run:
    """Return a run in which every text that a patch or a kernel may choose is an attack."""
    splat = replace(lost("v0", 2), failure=HOSTILE, splats=(HOSTILE,))
    boots = [*(boot("none", seed, results()) for seed in (1, 2)), boot("v0", 1, results()), splat]
    comparison = compare(plan(seeds=2), boots, NOTES)
    code = CodeMap(False, (FunctionChange(HOSTILE, HOSTILE, "changed", 1, 2),))
    facts = {"exact v0": {"zram_algorithm": HOSTILE}}
    named = replace(comparison.plan, provenance=HOSTILE, kernel=HOSTILE)
    return replace(comparison, plan=named, code=code, facts=facts, invalid=(HOSTILE,)), boots


def test_no_text_of_a_patch_or_a_kernel_is_an_escape_or_a_line_of_its_own() -> None:
    for name in set(formats.names()) - {"csv"}:  # whose quoted cells may hold any character
        text = formats.find(name)(*hostile())
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), name
        assert not re.search(r"^(Measured: forged|Subject: forged)", text, re.MULTILINE), name


def test_in_markdown_no_text_of_a_patch_or_a_kernel_is_html_a_link_or_a_column() -> None:
    text = formats.find("markdown")(*hostile())
    assert "<img" not in text
    assert "](http" not in text
    assert text.count(r"| =1+1\|&lt;img src=x>") == 2  # the changed function's file and name


def test_in_csv_no_text_of_a_patch_or_a_kernel_is_a_formula() -> None:
    *_, lost_boot = csv.reader(io.StringIO(formats.find("csv")(*hostile()), newline=""))
    assert lost_boot[-1] == f"'{HOSTILE}"


# --- csv and JSON Lines -----------------------------------------------------------------------


def test_csv_holds_every_sample_of_every_boot(run: Run) -> None:
    text = formats.find("csv")(*run)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(read) == sum(len(one.record.samples) for one in run[1])
    first = read[0]
    assert (first["seed"], first["metric"], first["label"]) == ("1", "exit_ns", "victim-0")
    assert (first["unit"], first["value"]) == ("ns", "128065184")


def test_csv_is_as_the_rfc_has_it() -> None:
    bad = Boot("exact", "v0", 1, lost("v0", 1).record, 'it said "no",\nand hung', 23)
    text = formats.find("csv")(compare(plan(seeds=1), [bad]), [bad])
    assert text.count("\r\n") == 2
    assert '"it said ""no"",\nand hung"\r\n' in text
    assert list(csv.reader(io.StringIO(text, newline="")))[1][-1] == 'it said "no",\nand hung'


def test_a_clock_that_never_stopped_is_the_word_and_no_number(run: Run) -> None:
    text = formats.find("csv")(*run)
    read = csv.DictReader(io.StringIO(text, newline=""))
    drains = [row["value"] for row in read if (row["metric"], row["arm"]) == ("drain_ns", "test")]
    assert drains == ["never", "never", "never"]


def test_json_lines_are_the_same_rows_with_numbers_as_numbers(run: Run) -> None:
    read = [json.loads(line) for line in formats.find("jsonl")(*run).splitlines()]
    assert [samples.SampleRow(**row) for row in read] == list(samples.rows(run[0].plan, run[1]))
    assert read[0]["value"] == 128065184
    assert "never" in {row["value"] for row in read if row["metric"] == "swapoff_ns"}


# --- JUnit ------------------------------------------------------------------------------------


def test_junit_has_a_case_a_boot_and_one_that_says_the_run_is_good(run: Run) -> None:
    read = JUnitXml.fromstring(formats.find("junit")(*run).encode())
    assert (read.tests, read.failures, read.errors) == (7, 0, 0)
    assert [suite.name for suite in read] == ["exact none", "exact v0", "validity"]


def test_in_junit_a_lost_boot_is_an_error_and_a_splat_a_failure(broken: Run) -> None:
    read = JUnitXml.fromstring(formats.find("junit")(*broken).encode())
    cases = {(case.classname, case.name): case.result for suite in read for case in suite}
    assert cases["storm.exact.v0", "seed 1"] == []
    (hung,), (splat,) = cases["storm.exact.v0", "seed 2"], cases["storm.exact.v0", "seed 3"]
    assert isinstance(hung, Error)
    assert isinstance(splat, Failure)
    assert splat.message == "the kernel, it ? complained"
    assert "WARNING: <&" in (splat.text or "")


def test_in_junit_every_reason_against_the_run_is_a_failed_case(broken: Run) -> None:
    read = JUnitXml.fromstring(formats.find("junit")(*broken).encode())
    reasons = [case for suite in read if suite.name == "validity" for case in suite]
    assert [case.name for case in reasons] == list(broken[0].invalid)
    assert all(isinstance(case.result[0], Failure) for case in reasons)


# --- KCIDB ------------------------------------------------------------------------------------


def test_kcidb_s_own_library_accepts_the_report(run: Run, broken: Run) -> None:
    import kcidb_io  # type: ignore[import-untyped]  # half a second, with the schemas

    for one in (run, broken):
        report = json.loads(formats.find("kcidb")(*one))
        schema = kcidb_io.schema.LATEST
        assert report["version"] == {"major": schema.major, "minor": schema.minor}
        assert schema.is_valid_exactly(report), one[0].plan.run
        assert schema.count(report) > 4


def test_in_kcidb_every_object_leads_to_its_checkout_and_no_id_is_used_twice(run: Run) -> None:
    report = json.loads(formats.find("kcidb")(*run))
    checkouts = {one["id"] for one in report["checkouts"]}
    builds = {one["id"]: one["checkout_id"] for one in report["builds"]}
    assert set(builds.values()) == checkouts
    assert {one["build_id"] for one in report["tests"]} == set(builds)
    assert len({one["id"] for one in report["tests"]}) == len(report["tests"]) == 6 + 12


def test_in_kcidb_a_median_is_done_and_never_has_no_number(run: Run) -> None:
    tests = {one["id"]: one for one in json.loads(formats.find("kcidb")(*run))["tests"]}
    exit_ns = tests[f"patchbench:{recorded.RUN}/exact/v0/exit_ns"]
    drain_ns = tests[f"patchbench:{recorded.RUN}/exact/v0/drain_ns"]
    assert exit_ns["status"] == drain_ns["status"] == "DONE"
    assert exit_ns["number"] == {"value": 117826480, "unit": "ns"}
    assert exit_ns["misc"]["change"] == "-6.10 %"
    assert "number" not in drain_ns
    assert drain_ns["comment"] == "median of 3 boots; did not finish in 3 of them"


def test_in_kcidb_a_lost_boot_is_an_error_and_a_splat_fails(broken: Run) -> None:
    report = json.loads(formats.find("kcidb")(*broken))
    states = [one["status"] for one in report["tests"] if one["path"] == "storm.exact.boot"]
    assert states == ["PASS", "PASS", "PASS", "PASS", "ERROR", "FAIL"]


# --- Go benchmarks ----------------------------------------------------------------------------


@dataclass
class Benchmarks:
    """What a reader of golang.org/design/14313-benchmark-format takes from a text."""

    lines: list[tuple[str, str, dict[str, float]]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)


def read_benchmarks(text: str) -> Benchmarks:
    read = Benchmarks()
    for line in text.splitlines():
        words = line.split()
        if line.startswith("Benchmark"):
            name, count, *pairs = words
            assert int(count) > 0
            assert pairs
            assert len(pairs) % 2 == 0
            values = {
                unit: float(value) for value, unit in zip(pairs[::2], pairs[1::2], strict=True)
            }
            read.lines.append((read.configuration["series"], name, values))
        elif words[:1] == ["Unit"]:
            read.units[words[1]] = words[2]
        elif (key := line.partition(":")[0]) and key.islower() and " " not in key:
            read.configuration[key] = line.partition(": ")[2]
    return read


def test_a_benchstat_like_reader_gets_one_line_a_boot(run: Run) -> None:
    read = read_benchmarks(formats.find("gobench")(*run))
    assert [series for series, _, _ in read.lines] == ["none"] * 3 + ["v0"] * 3
    assert {name for _, name, _ in read.lines} == {"BenchmarkExitStorm/machine=exact"}
    assert sorted(values["makespan-ns"] for _, _, values in read.lines[:3])[1] == 129982736
    assert read.lines[3][2]["drain-ns"] == float("inf")
    assert read.units["exit-ns"] == "better=lower"
    assert read.configuration["kernel"] == "mainline 7.3.4"
    assert read.configuration["parameter-victims"] == "10"


def test_in_go_benchmarks_what_has_no_place_is_in_lines_that_are_ignored(
    broken: Run,
) -> None:
    text = formats.find("gobench")(*broken)
    assert "# LOST BOOT: exact v0 seed 2: it hung" in text
    assert len(read_benchmarks(text).lines) == 4
    assert set(read_benchmarks(text).configuration) == {
        "goarch", "kernel", "flavour", "workload", "parameter-victims", "series",
    }  # fmt: skip


# --- traces -----------------------------------------------------------------------------------


def test_a_trace_has_the_fields_that_its_format_documents(run: Run) -> None:
    trace = json.loads(formats.find("trace")(*run))
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    common = {"name", "ph", "pid", "tid", "args"}
    timed = common | {"cat", "ts"}
    fields = {"X": timed | {"dur"}, "i": timed | {"s"}, "M": common}
    names = {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}
    for event in trace["traceEvents"]:
        assert set(event) == fields[event["ph"]]
        assert event["ph"] != "M" or event["name"] in names
        assert event.get("s", "t") == "t"


def test_in_a_trace_each_clock_of_one_boot_is_a_bar_from_its_own_zero(run: Run) -> None:
    trace = json.loads(formats.find("trace")(*run))
    bars = [event for event in trace["traceEvents"] if event["ph"] != "M"]
    base = {(bar["cat"], bar["tid"]): bar for bar in bars if bar["pid"] == 1}
    assert len([bar for bar in base.values() if bar["cat"] == "exit_ns"]) == 10
    assert {bar["ts"] for bar in bars} == {0}
    (makespan,) = (bar for bar in base.values() if bar["cat"] == "makespan_ns")
    assert (makespan["dur"], makespan["args"]["ns"]) == (128079.392, 128079392)
    assert not any(bar["cat"] == "cpu_ns" for bar in bars)
    assert trace["otherData"]["sampled, but not a span of time"] == ["cpu_ns", "residue_pages"]
    assert trace["otherData"]["not recorded"]


def test_in_a_trace_what_never_ended_has_no_length(run: Run) -> None:
    events = json.loads(formats.find("trace")(*run))["traceEvents"]
    (drain,) = (one for one in events if one.get("cat") == "drain_ns" and one["pid"] == 2)
    assert (drain["ph"], drain["name"]) == ("i", "memory back: never")


def test_a_run_without_a_storm_has_no_trace() -> None:
    with pytest.raises(BadInput, match="no storm to draw"):
        formats.find("trace")(compare(plan(seeds=1), [lost("v0", 1)]), [lost("v0", 1)])
