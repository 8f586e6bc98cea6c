# SPDX-License-Identifier: GPL-2.0-only
"""What findings add up to, and how files of every age are read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench import findings
from patchbench.errors import BadInput
from patchbench.findings import Finding
from tests.fakes import check_result, condition

PUBLISHED = Path(__file__).resolve().parents[1] / "results/published"
BEFORE = "v0~0123456789ab"


def stored(folder: Path, content: object) -> Path:
    (folder / findings.FILE).write_text(json.dumps(content))
    return folder


def old(series: str, subject: str = "residue: swapoff", check: str = "hazard") -> dict[str, object]:
    """Return a finding as schema 1 has it: without kind, and the subject one text."""
    return {
        "check": check,
        "kernel": "mainline",
        "version": "7.3.4",
        "series": series,
        "subject": subject,
        "state": "pass",
        "says": "swapoff is done, asked for done",
        "evidence": "$ ./bootstrap boot",
        "hazards": ["C8"],
    }


def test_what_schema_1_wrote_as_one_text_of_evidence_is_taken_apart_once(tmp_path: Path) -> None:
    evidence = "config: ARCH=arm64\ncompiler: gcc\nmm/a.c:1: error\n$ make vmlinux\n$ ./bootstrap"
    row = old("v0", "arm64-64k: build", "build") | {"evidence": evidence}
    (finding,) = findings.read(stored(tmp_path, [row])).findings
    assert finding.evidence == "mm/a.c:1: error"
    assert finding.context == ("config: ARCH=arm64", "compiler: gcc")
    assert finding.commands == ("make vmlinux", "./bootstrap")


def test_what_fails_unpatched_too_is_no_regression() -> None:
    fails = condition("v0", "fail")
    assert check_result(condition("none", "fail"), fails).regressions() == ()
    assert check_result(condition("none", "pass"), fails).regressions() == (fails,)
    assert check_result(condition("none", "untested"), fails).regressions() == (fails,)


@pytest.mark.parametrize("against", [BEFORE, "v1", "none"])
def test_the_judged_series_is_accused_and_not_the_one_that_it_is_compared_with(
    against: str,
) -> None:
    # Before 26201f18983b: v0~COMMIT was accused where v0 failed.
    """The older revision failed and the newer one passes; it was the older one that was blamed."""
    result = check_result(condition(against, "fail"), condition("v0", "pass"), against=against)
    assert result.regressions() == ()
    assert result.series_names == (against, "v0")
    assert result.of(result.series)[0].state == "pass"


def test_the_columns_are_the_base_the_first_patches_and_last_the_judged_series() -> None:
    names = ("v0@2", "v0", "none", "v0@1", "v0@10")
    result = check_result(*(condition(name, "pass") for name in names))
    assert result.series_names == ("none", "v0@1", "v0@2", "v0@10", "v0")


def test_conditions_on_one_metric_with_and_without_a_base_are_two_questions() -> None:
    plain, compared = condition("v0", "fail"), condition("v0", "fail", against="none")
    result = check_result(condition("none", "fail"), plain, compared)
    assert result.regressions() == (compared,)
    assert compared.title == "residue: left_pages against none"


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = check_result(condition("none", "pass"), condition("v1", "fail"), series="v1")
    findings.write(tmp_path, result)
    assert findings.read(tmp_path) == result


def published_checks(*, bare: bool) -> list[Path]:
    """Return the files of published checks: bare lists, as schema 1 had them, or later ones."""
    files = sorted(PUBLISHED.rglob(findings.FILE))
    return [path for path in files if isinstance(json.loads(path.read_text()), list) == bare]


@pytest.mark.parametrize("path", published_checks(bare=False), ids=str)
def test_every_published_check_is_still_read_to_the_letter(path: Path) -> None:
    assert findings.dumps(findings.read(path.parent)) == path.read_text()


@pytest.mark.parametrize("path", published_checks(bare=True), ids=str)
def test_every_published_check_is_still_read_with_its_titles(path: Path) -> None:
    content = json.loads(path.read_text())
    subjects = [row["subject"].replace("errors of its own", "new errors") for row in content]
    result = findings.read(path.parent)
    assert [one.title for one in result.findings] == subjects
    assert result.series in ("v0", "v0@2")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (old("v0", "worker-gap-none"), ("boot", "worker-gap-none", "", "")),
        (old("v0", "residue: console"), ("console", "residue", "", "")),
        (
            old("v0", "residue: console, KCSAN: data-race in a / b"),
            ("console", "residue", "KCSAN: data-race in a / b", ""),
        ),
        (
            old("v0", "fork-rate: fork_ns against none"),
            ("condition", "fork-rate", "fork_ns", "none"),
        ),
        (old("v0", "arm64-64k: build", "build"), ("build", "arm64-64k", "", "")),
        (old("v0", "arm64-64k: errors of its own", "build"), ("errors", "arm64-64k", "", "")),
        (old("v0", "arm64-64k: W=1", "warning"), ("W=1", "arm64-64k", "", "")),
        (
            old("v0", "checkpatch: 0001-a.patch", "checkpatch"),
            ("checkpatch", "0001-a.patch", "", ""),
        ),
        (old("v0", "series", "build"), ("series", "v0", "", "")),
    ],
)
def test_what_schema_1_packed_into_a_text_is_read_into_fields(
    tmp_path: Path, row: dict[str, object], expected: tuple[str, ...]
) -> None:
    (finding,) = findings.read(stored(tmp_path, [row])).findings
    assert (finding.kind, finding.subject, finding.on, finding.against) == expected
    assert finding.questions == ("C8",)


@pytest.mark.parametrize("names", [("v0", "v1"), ("v0", BEFORE), ("none",), ("v0@1", "v0@2")])
def test_a_headerless_file_that_could_judge_either_series_is_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput, match="run the check again"):
        findings.read(stored(tmp_path, [old(name) for name in names]))


def test_a_file_of_a_later_version_is_refused_by_its_schema(tmp_path: Path) -> None:
    findings.write(tmp_path, replace(check_result(), schema=9))
    with pytest.raises(BadInput, match="schema 9"):
        findings.read(tmp_path)


@pytest.mark.parametrize("text", ["[{", "[{}]", "{}", '"v0"', "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / findings.FILE).write_text(text)
    with pytest.raises(BadInput, match=r"findings\.json is damaged"):
        findings.read(tmp_path)


def test_only_a_failure_without_any_patch_is_the_kernel_s_own() -> None:
    quiet = Finding("console", "mainline", "7.3.4", "none", "residue", "pass", "no splat")
    splat = replace(quiet, state="fail", on="oops")
    result = check_result(quiet, splat, replace(splat, series="v0"))
    assert result.failed_unpatched("console") == (splat,)
    assert result.failed_unpatched("boot") == ()
