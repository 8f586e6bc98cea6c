# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a patch, its author or a kernel calls things, no report obeys it.

Each trick takes the place of every text that a stranger may choose, in every format.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from patchbench.model import Boot, CodeMap, Comparison, FunctionChange
from patchbench.report import formats
from patchbench.stages.compare import compare
from tests import engine
from tests.e2e.browser import look
from tests.fakes import boot, check_result, condition, lost, plan, results
from tests.storms import NOTES

TRICKS = {
    "a shell's substitution": "$(touch /tmp/owned)`id`; rm -rf ~ #",
    "a terminal's escape": "\x1b]0;owned\x07\x1b[2J\x9b2J",
    "a line end of each kind": "x\rMeasured: forged\nSubject: forged\x0b\x0c\x85\u2028y",
    "a change of direction": "\u202egro.nrekrad\u2066",
    "a script": "</td><script>alert(1)</script><img src=x onerror=alert(1)>",
    "an attribute's end": "\" onmouseover='alert(1)' x=\"",
    "a link": "[click](javascript:alert(1)) <https://evil.example>",
    "a column and a row": "a|b|c\n| d | e |",
    "a heading and a fence": "# title\n```\n</details>",
    "a formula": '=HYPERLINK("http://evil.example")',
    "another formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "a mail's header": "x\nBcc: victim@example.org\n\nbody",
    "a patch": "---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@",
    "a template": "{{ 7 * 7 }}{% raw %}${7*7}",
    "an entity": "]]><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "half a character": "\ud800",
    "a null": "a\0b",
}
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]"
)
_FORGED = re.compile(
    r"^(Measured: forged|Subject: forged|Bcc: |diff --git|--- a/|\+\+\+ b/|# title)", re.MULTILINE
)

Run = tuple[Comparison, Sequence[Boot]]


def run(trick: str) -> Run:
    """Return a run in which every text that a patch or a kernel may choose is a trick."""
    splat = replace(lost("v0", 2), failure=trick, splats=(trick,))
    boots = [*(boot("none", seed, results()) for seed in (1, 2)), boot("v0", 1, results()), splat]
    compared = compare(plan(seeds=2), boots, NOTES)
    code = CodeMap(False, (FunctionChange(trick, trick, "changed", 1, 2),))
    facts = {"exact v0": {"zram_algorithm": trick}}
    named = replace(compared.plan, provenance=trick, kernel=trick, host={"cpu": trick})
    return replace(compared, plan=named, code=code, facts=facts, invalid=(trick,)), boots


class _Markup(HTMLParser):
    """What of a page could do something: tags with their attributes, but for those of text."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "embed", "base", "form", "link"):
            self.active.append(tag)
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or ""):
                self.active.append(f"{tag} {name}")


def _active(page: str) -> list[str]:
    markup = _Markup()
    markup.feed(page)
    return markup.active


def quiet_text(text: str) -> None:
    assert not _CONTROLS.search(text)
    assert not _FORGED.search(text)


def quiet_html(text: str) -> None:
    assert not _CONTROLS.search(text)
    assert _active(text) == _active(formats.find("html")(*run("plain")))


def quiet_markdown(text: str) -> None:
    quiet_text(text)
    assert _active(re.sub(r"\\<", "&lt;", text)) == []
    assert "](javascript" not in text


def quiet_csv(text: str) -> None:
    rows = csv.reader(io.StringIO(text, newline=""))
    numbers = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")
    for cell in (cell for row in rows for cell in row if not numbers.fullmatch(cell)):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def quiet_json(text: str) -> None:
    quiet_text(text)
    for line in text.splitlines() if not text.startswith(("{\n", "[\n")) else [text]:
        json.loads(line)


def quiet_xml(text: str) -> None:
    assert not _CONTROLS.search(text)
    ElementTree.fromstring(text.encode())  # noqa: S314  # ours, and that it has no entity is tested
    assert "<!" not in text


CHECKS: Mapping[str, Callable[[str], None]] = {
    **dict.fromkeys(("gobench", "mail", "robot"), quiet_text),
    **dict.fromkeys(("b4", "json", "jsonl", "kcidb", "trace"), quiet_json),
    "csv": quiet_csv,
    "html": quiet_html,
    "junit": quiet_xml,
    "markdown": quiet_markdown,
}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plots, in which no stranger's text stands."""
    engine.draw_nothing(monkeypatch)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", formats.names())
@pytest.mark.parametrize("trick", TRICKS)
def test_no_report_of_a_run_obeys(trick: str, name: str) -> None:
    CHECKS[name](formats.find(name)(*run(TRICKS[trick])))


@pytest.mark.parametrize("name", formats.names_for_findings())
@pytest.mark.parametrize("trick", TRICKS)
def test_no_report_of_a_check_obeys(trick: str, name: str) -> None:
    text = TRICKS[trick]
    found = condition("v0", "fail", text, says=text, context=(text,), evidence=text)
    CHECKS[name](formats.find_for_findings(name)("run", check_result(found)))


def test_a_page_that_obeyed_would_be_seen() -> None:
    page = f"<p>{TRICKS['a script']}{TRICKS['a link']}</p>"
    assert _active(page) == ["script", "img", "img onerror"]


@pytest.mark.e2e
def test_no_trick_runs_in_a_browser(tmp_path: Path) -> None:
    page = formats.find("html")(*run(" ".join(TRICKS.values())))
    seen = look(page, tmp_path, width=1280, dark=False)
    assert (seen.console, seen.measures["loaded"]) == ([], [])
