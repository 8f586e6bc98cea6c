# SPDX-License-Identifier: GPL-2.0-only
"""Every parser of what is not ours to vouch for, with what it reads when all is well.

A parser gets the bytes as they would arrive, and a folder for those that read files. It may raise
what patchbench.errors has, and nothing else.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

from patchbench import ctables, findings, noise, parameters, records
from patchbench.binaries import addresses, codemap, symbols
from patchbench.catalog import Catalog
from patchbench.check import answers
from patchbench.gate import calibration_docs, waivers
from patchbench.gate import policy as policies
from patchbench.intake import bases, keeping, sources, threads
from patchbench.intake import reading as intake
from patchbench.model import SeriesName
from patchbench.profile import counts, proof
from patchbench.report import claims, formats
from patchbench.runs import folder as runs
from patchbench.runs import published, reading, times
from patchbench.stages import boot, buildlog, devicetree, fetch, kconfig, series, splats
from patchbench.store import Store
from patchbench.study import folder as studies
from patchbench.study import loading
from patchbench.study import plan as plans
from patchbench.tools import b4prep
from patchbench.tools.output import Output
from tests import recorded
from tests.elf import NOP, RET, Function, relocatable
from tests.intake.build import mbox, text
from tests.recorded import DATA, PROJECT, RUN
from tests.stages.test_devicetree import blob

Parse = Callable[[bytes, Path], object]


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and good inputs of it."""

    name: str
    parse: Parse
    seeds: Sequence[bytes]


def _files(*patterns: str, root: Path = PROJECT) -> list[bytes]:
    found = [path.read_bytes() for one in patterns for path in sorted(root.glob(one))]
    assert found, patterns
    return found


def _text(parse: Callable[[str], object]) -> Parse:
    """Return a parser of text from one of bytes, as our readers decode them."""
    return lambda data, _: parse(data.decode(errors="replace"))


@cache
def _splats() -> splats.SplatPolicy:
    return splats.load(PROJECT)


def _boot(data: bytes, folder: Path) -> object:
    """Read a boot's folder: results, console and the host's note, with NUL bytes between them."""
    names = ("results.log", "console.log", "host.json")
    for name, part in zip(names, [*data.split(b"\0\0"), b"", b""], strict=False):
        (folder / name).write_bytes(part)
    wanted = boot.Wanted("exact", "v0", "7.3.4-pb-0123456789ab", 1, exact=True)
    return boot.read_or_count(folder, wanted, _splats())


def _boots() -> list[bytes]:
    log = _files(f"runs/{RUN}/boots/exact/v0/*/results.log", root=DATA)[0]
    note = b'{"seconds": 1.5, "timed_out": true, "orderly": false, "host": {"load": 1}}'
    return [b"\0\0".join((log, console, note)) for console in _files("consoles/*.log", root=DATA)]


def _mail(data: bytes, folder: Path) -> object:
    """Take a mail as a series, with what is kept of it and what answers it."""
    (folder / "posted.mbox").write_bytes(data)
    source = str(folder / "posted.mbox")
    posting = intake.read(source, _OFFLINE)
    threads.answered(threads.read(source, lambda: b""), source)
    return bases.blobs(posting.patches), keeping.provenance(posting, source)


def _nothing(*_: str) -> Path:
    raise AssertionError("a file asks nothing of git or a network")


_OFFLINE = intake.Fetchers(lambda: b"", _nothing, _nothing)


def _b4_cover(data: bytes, _: Path) -> object:
    message = data.decode(errors="replace")
    mail = b4prep.mail(message, 2, "0" * 40)
    return b4prep.revision(message), sources.parse(mail.encode(), "a cover letter")


def _proof(data: bytes, folder: Path) -> object:
    (folder / proof.PROOF).write_bytes(data)
    return proof.read(folder)


def _mails() -> list[bytes]:
    signed = text("[PATCH v2 1/2] mm: do =?utf-8?q?it?=", ident="b", to="a")
    cover = text("[PATCH v2 0/2] mm: all of it", ident="a", body="Because.\n")
    return [mbox(cover, signed), signed, *_files("patches/*/*/*.patch")]


def _drop_in(folder: str, name: str, read: Callable[[Catalog, str], object]) -> Parse:
    """Return what reads a checkout of which one drop-in file is another."""

    def parse(data: bytes, scratch: Path) -> object:
        root = scratch / "checkout"
        if not root.exists():
            for kept in ("configs", "workloads", "qemu"):
                shutil.copytree(PROJECT / kept, root / kept)
            (root / "patches/fuzzed").mkdir(parents=True)
        (root / folder / name).write_bytes(data)
        return read(Catalog(root), Path(name).stem)

    return parse


def _workload(catalog: Catalog, name: str) -> object:
    workload = catalog.workload(name)
    known = catalog.parameters(workload.program)
    parameters.check(workload, known)
    machine = catalog.machine("exact")
    parameters.check_fits(workload, machine, known)
    return workload


def _study(catalog: Catalog, name: str) -> object:
    return plans.every_leg(loading.load(catalog.root, name), "full")


def _policy(catalog: Catalog, name: str) -> object:
    return policies.load(catalog, catalog.root / "configs" / f"{name}.toml")


def _kconfig(data: bytes, _: Path) -> object:
    content = data.decode(errors="replace")
    every = kconfig.Definitions(lambda name: content if name in ("Kconfig", "mm/Kconfig") else None)
    got = kconfig.settings(content)
    asked = kconfig.settings("CONFIG_ZRAM=y\nCONFIG_SWAP=y\n")
    return [every.explain(one.symbol, got) for one in kconfig.dropped(asked, got)]


_KCONFIG = b"""\
mainmenu "Linux"
source "mm/Kconfig"
menu "Memory"
config SWAP
\tbool "Support for paging"
\tdepends on MMU && (BLOCK || !ARCH_NO_SWAP) && $(cc-option,-O2)
if SWAP
config ZRAM
\ttristate "zram"
\tdepends on BLOCK=y && SYSFS!=n
endif
endmenu
CONFIG_MMU=y
# CONFIG_BLOCK is not set
"""


def _build_log(data: bytes, _: Path) -> object:
    log = data.decode(errors="replace")
    every = buildlog.undefined(log), buildlog.errors(log), buildlog.link_errors(log)
    found = buildlog.messages(log, ["mm/swapfile.c"])
    return every, buildlog.new(found, found), buildlog.checked(log), buildlog.evidence(log)


def _claims(data: bytes, folder: Path) -> object:
    (folder / "mail").write_bytes(data)
    return claims.parse(claims.read_mail(folder / "mail"))


def _run(name: str) -> Parse:
    """Return what reads the recorded run of which one file is another, and reports it somehow."""

    def parse(data: bytes, scratch: Path) -> object:
        root = scratch / "checkout"
        if not root.exists():
            root.mkdir()
            recorded.root(root)
            for console in root.rglob("console.log"):  # a target of its own; long ones take longest
                console.write_text("\n".join(console.read_text().splitlines()[:8]))
        run = root / "results/runs" / RUN
        (run / "SHA256SUMS").unlink(missing_ok=True)
        (run / name).write_bytes(data)
        compared, boots = reading.read(root, run)
        return formats.find(_FORMATS[len(data) % len(_FORMATS)])(compared, boots)

    return parse


def _in_folder(name: str, read: Callable[[Path], object]) -> Parse:
    """Return what reads a folder with one file."""

    def parse(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder)

    return parse


def _profile(data: bytes, _: Path) -> object:
    raw = counts.parse(data.decode(errors="replace"), "storm")
    return counts.profile(raw, _tiny(), series="v0", pages=1)


@cache
def _tiny() -> addresses.Symbols:
    return addresses.load(DATA / "profile/tiny.elf")


def _compared(data: bytes, folder: Path) -> object:
    good, bad = folder / "good.o", folder / "bad.o"
    good.write_bytes(_OBJECT)
    bad.write_bytes(data)
    return symbols.compare(good, bad), symbols.equal(folder, folder)


_OBJECT = relocatable(
    {"put": Function([NOP, NOP, RET], file="swapfile.c"), "get": Function([NOP, RET])}, {}
)


def _loaded(data: bytes, folder: Path) -> object:
    path = folder / "vmlinux"
    path.write_bytes(data)
    kernel = addresses.load(path)
    return [kernel.function(address) for address in (0, 0xFFFF800080010000)], kernel.bases


def _note(name: str) -> Parse:
    """Return what looks at a shelf of which a note of an entry is another."""

    def parse(data: bytes, folder: Path) -> object:
        store = Store(folder / "shelf")
        entry = store.entry("images", {"tree": "abc"})
        if not entry.exists():
            store.ensure("images", {"tree": "abc"}, lambda new: (new / "Image").touch())
        (entry / name).write_bytes(data)
        found = store.get("images", {"tree": "abc"}), store.explain("images", {"tree": "other"})
        return found, store.damaged()

    return parse


def _output(data: bytes, _: Path) -> object:
    output = Output()
    for at in range(0, min(len(data), 16 << 10), 100):  # most of it is the line that is repeated
        output.feed(data[at : at + 100])
    output.close()
    return output.take_cpu_seconds(), output.text()


def _calibration(data: bytes, folder: Path) -> object:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs/calibration.json").write_bytes(data)
    return calibration_docs.load(folder), noise.stored(folder)


def _series(data: bytes, folder: Path) -> object:
    root = folder / "series"
    port = root / "patches/t/7.3"
    port.mkdir(parents=True, exist_ok=True)
    (port.parent / "series.toml").write_text('title = "t"\n')
    (port / "0001-fuzzed.patch").write_bytes(data)
    return series.load(root, "t", "7.3")


def _names(data: bytes, _: Path) -> object:
    name = SeriesName.parse(data.decode(errors="replace"))
    return name.today(), name.unvaried(), replace(name)


def _run_folder(kind: str, file: str) -> list[bytes]:
    return _files(f"results/published/*/{file}", f"results/published/*/runs/*/{file}")[:4]


_COVER = b"""\
mm: do it

Because.

--- b4-submit-tracking ---
# This section is used internally by b4 prep for tracking purposes.
{"series": {"revision": 3, "change-id": "20260101-it-0123", "prerequisites": ["patch-id: 01"]}}
"""
_A_DAY = date(2026, 1, 1)
_WAIVER = b"""\
[[waivers]]
metric = "drain_ns"
reason = "the next revision flushes"
link = "https://lore.kernel.org/r/1"
expires = 2026-12-31
"""
_MAKEFILE = b"VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION = -rc1\n"
_TREE = blob([("cpus", {"#size-cells": 0}), ("cpu@0", {"reg": 0})])
_SUMS = b'{\n "Image": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n}\n'
_LOG = "boots/exact/v0/seed-1/results.log"
_FORMATS = ("json", "csv", "mail", "gobench")
_RUN_FILES = DATA / "runs" / RUN

#: By the kind of thing that they read, the slowest first, so that no core is idle at the end.
TARGETS: Mapping[str, Sequence[Target]] = {
    "plans and comparisons": (
        Target("plan", _run("plan.json"), [(_RUN_FILES / "plan.json").read_bytes()]),
        Target("comparison", _run(_LOG), [(_RUN_FILES / _LOG).read_bytes()]),
    ),
    "mails": (
        Target("mails", _mail, _mails()),
        Target("series", _series, _mails()),
        Target("b4 prep", _b4_cover, [_COVER]),
    ),
    "claims": (
        Target(
            "claims", _claims, [text[:6000] for text in _files("README.md", "results/README.md")]
        ),
    ),
    "TOML": (
        Target(
            "waivers TOML",
            _drop_in("configs", "waivers.toml", lambda catalog, _: waivers.load(catalog, _A_DAY)),
            [_WAIVER],
        ),
        Target(
            "kernel TOML",
            _drop_in("configs/kernels", "mainline.toml", Catalog.kernel),
            _files("configs/kernels/*.toml"),
        ),
        Target(
            "machine TOML",
            _drop_in("qemu/machines", "exact.toml", Catalog.machine),
            _files("qemu/machines/*.toml"),
        ),
        Target(
            "workload TOML",
            _drop_in("workloads", "exit-storm.toml", _workload),
            _files("workloads/*.toml"),
        ),
        Target(
            "metric TOML",
            _drop_in(
                "workloads/metrics", "exit_ns.toml", lambda catalog, _: catalog.metric_notes()
            ),
            _files("workloads/metrics/*.toml"),
        ),
        Target(
            "gate TOML", _drop_in("configs", "gate.toml", _policy), _files("configs/gate*.toml")
        ),
        Target(
            "splats TOML",
            _drop_in("configs", "splats.toml", lambda catalog, _: splats.load(catalog.root)),
            _files("configs/splats.toml"),
        ),
        Target(
            "questions TOML",
            _drop_in(
                "configs", "questions.toml", lambda catalog, _: answers.questions(catalog.root)
            ),
            _files("configs/questions.toml"),
        ),
        Target(
            "profile TOML",
            _drop_in("configs", "profile.toml", lambda catalog, _: catalog.profile_map()),
            _files("configs/profile.toml"),
        ),
        Target(
            "study TOML",
            _drop_in("configs/studies", "v0.toml", _study),
            _files("configs/studies/*.toml"),
        ),
        Target(
            "series TOML",
            _drop_in(
                "patches/fuzzed",
                "series.toml",
                lambda catalog, _: catalog.series_note(catalog.root / "patches/fuzzed"),
            ),
            _files("patches/*/series.toml"),
        ),
    ),
    "what runs leave": (
        Target(
            "proof", _proof, [b'{"machine": "exact", "seed": 1, "ran": {"a.c:f": 7}, "idle": []}']
        ),
        Target(
            "functions.json",
            _in_folder("functions.json", codemap.read),
            _files("results/published/*/functions.json"),
        ),
        Target(
            "findings.json",
            _in_folder("findings.json", findings.read),
            _files("results/published/*/findings.json"),
        ),
        Target(
            "boots.json", _in_folder("boots.json", published.notes), _run_folder("", "boots.json")
        ),
        Target(
            "timings.json", _in_folder("timings.json", times.rows), [b'{"started": 1, "ended": 2}']
        ),
        Target("study.json", _in_folder("study.json", studies.read), _run_folder("", "study.json")),
        Target("seal", _in_folder("SHA256SUMS", runs.check_seal), _run_folder("", "SHA256SUMS")),
        Target("calibration.json", _calibration, _files("docs/calibration.json")),
        Target("ingredients.json", _note("ingredients.json"), [b'{"tree":"abc"}\n']),
        Target("sums.json", _note("sums.json"), [_SUMS]),
    ),
    "ELF": (
        Target("vmlinux", _loaded, _files("profile/tiny.elf", root=DATA)),
        Target("vmlinux.o", _compared, [_OBJECT]),
    ),
    "guest records": (
        Target("record", _text(records.parse), _files("runs/*/boots/*/*/*/results.log", root=DATA)),
        Target("boot", _boot, _boots()),
    ),
    "consoles": (
        Target(
            "console",
            _text(lambda log: [*_splats().find(log)]),
            [log[-3000:] for log in _files("consoles/*", root=DATA)],  # how it ended
        ),
    ),
    "build logs": (
        Target("container output", _output, [b"a\nb\n\ncpu seconds 1.23 0.45\n"]),
        Target("build log", _build_log, _files("builds/*", root=DATA)),
    ),
    "Kconfig": (
        Target(
            "flavour",
            _drop_in(
                "configs/kconfig", "hazard.config", lambda one, name: one.flavour(name, "7.3")
            ),
            _files("configs/kconfig/*.config"),
        ),
        Target("kernel Makefile", _text(fetch.kernel_version), [_MAKEFILE]),
        Target("Kconfig", _kconfig, [_KCONFIG, *_files("configs/kconfig/*.config")]),
    ),
    "profiles": (Target("profile.raw", _profile, _files("profile/*.raw", root=DATA)),),
    "tables in C": (
        Target("metrics in C", _text(ctables.metrics), _files("workloads/*_*.c")),
        Target(
            "parameters in C", _text(ctables.parameters), _files("workloads/*.c", "workloads/*.h")
        ),
    ),
    "names": (Target("series name", _names, [b"v0", b"v0@1~abcdef0+one-worker", b"none"]),),
    "device trees": (
        Target("device tree", lambda data, _: devicetree.with_capacities(data, [1024]), [_TREE]),
    ),
}
