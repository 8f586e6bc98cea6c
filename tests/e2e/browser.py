# SPDX-License-Identifier: GPL-2.0-only
"""Chromium without a window: how wide a page is, what it says to the console and asks for."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=1400,900",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # its own errands, too, stay at home
)
#: The page is measured from around it, in a frame as wide as the screen would be: it stays as it
#: is, and Chromium's own window cannot be made as narrow as a phone.
_HARNESS = """<!DOCTYPE html>
<style>:root {{ color-scheme: light dark }} iframe {{ width: {width}px; height: 900px; border: 0 }}
</style>
<iframe id="page" srcdoc="{page}"></iframe>
<pre id="measured"></pre>
<script>
addEventListener("load", () => {{
  const page = document.getElementById("page").contentDocument;
  const style = (where) => getComputedStyle(page.querySelector(where) ?? page.body);
  document.getElementById("measured").textContent = JSON.stringify({{
    visible: page.documentElement.clientWidth,
    needed: page.documentElement.scrollWidth,
    spilling: [...page.querySelectorAll("main *")]
      .filter((one) => !one.closest(".box, pre, svg"))
      .filter((one) => one.getBoundingClientRect().right > {width} + 0.5)
      .map((one) => one.outerHTML.slice(0, 80)),
    cut: [...page.querySelectorAll("main, section, article, li, div, table, tbody, tr, td, th")]
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.outerHTML.slice(0, 80)),
    background: style("body").backgroundColor,
    ink: style("body").color,
    base: style(".base").color,
    loaded: [...page.defaultView.performance.getEntriesByType("resource")].map((one) => one.name),
    broken: [...page.querySelectorAll("a[href^='#']")]
      .filter((one) => !page.getElementById(one.getAttribute("href").slice(1))).length,
    links: page.querySelectorAll("a[href^='#']").length,
    smallest: Math.min(...[...page.querySelectorAll("figure svg text")]
      .map((one) => one.getBoundingClientRect().height)),
  }});
}});
</script>
"""


@dataclass(frozen=True)
class Seen:
    """What a page came to: its measures, as the harness names them, and the console's lines."""

    measures: dict[str, Any]
    console: list[str]


def find_chromium() -> str:
    """Return the browser; fail, and do not skip, if there is none."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    pytest.fail("no Chromium is on PATH: apt-get install --no-install-recommends chromium")


def look(page: str, folder: Path, *, width: int, dark: bool) -> Seen:
    """Load a page in a frame of this width and colour scheme, and return what came of it."""
    harness = folder / "harness.html"
    harness.write_text(_HARNESS.format(width=width, page=escape(page)))
    done = subprocess.run(
        [
            find_chromium(),
            *_FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            harness.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured = done.stdout.rpartition('<pre id="measured">')[2].partition("</pre>")[0]
    return Seen(
        measures=json.loads(unescape(measured)),
        console=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
    )
