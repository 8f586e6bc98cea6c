# SPDX-License-Identifier: GPL-2.0-only
"""A container engine that starts nothing, and a project whose kernels are three files each.

It answers what the stages ask containers to do: describe the toolchain, configure and make a
kernel, compile the guest's programs, boot. All else is real: git, the shelf, the run's folder,
the reports. A kernel is as fast as its mm/swapfile.c has lines that begin with `fast`.
"""

import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from patchbench.catalog import Catalog
from patchbench.stages import planted
from patchbench.tools.container import Bind, Finished, Limits
from patchbench.tools.qemu import CONSOLE, PROFILE, RESULTS
from tests.command import in_checkout
from tests.elf import NOP, RET, Function, relocatable
from tests.fakes import CLEAN_CONSOLE, KERNEL_FILES, git, small_kernel, write_patch
from tests.stages.test_devicetree import blob

PROJECT = Path(__file__).resolve().parents[1]
COUNTER = "async_swap_count"
TOOLCHAIN = "gcc 14.2.0\n\n14.2.0\nGNU ld 2.44\nQEMU emulator version 10.0.13\nbusybox 1.37\n"
PROFILE_DATA = PROJECT / "tests/data/profile"
#: What the plugin counts in tiny.elf.
PROFILE_OF_TINY = """patchbench-profile 2
every 2000
marks 2
vbar ffff800080010014
vcpus 1
run ffff800080010000 2 aa0103e0 7
run 400000 3 00000000 2
stack 0 4 0 ffff800080010000 ffff800080010010 0
end ok
"""
BASE_NS = 100_000_000


class FakeEngine:
    """What patchbench.tools.container.Engine is to the stages; every image is there."""

    def __init__(self, cache: Path, _run: str) -> None:
        self.cache = cache
        self.busy: list[tuple[str, float, float]] = []
        self.cpu_seconds = 0.0

    def __exit__(self, *_: object) -> None:
        """Have nothing to close."""

    def version(self) -> str:
        return "a test's"

    def reap(self, _: Iterable[str]) -> int:
        return 0

    def carry_on(self) -> None:
        pass

    def stop_all(self) -> None:
        """Have nothing to stop."""

    def image_id(self, tag: str) -> str:
        return f"sha256:{tag}"

    def labels(self, _: str) -> Mapping[str, str]:
        return {}

    def run(
        self,
        _image: str,
        argv: Sequence[str],
        _limits: Limits,
        *,
        binds: Iterable[Bind] = (),
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
        **_: Any,
    ) -> Finished:
        folders = {bind.inside: bind.host for bind in binds}
        said = ""
        if argv[0] == "describe-toolchain":
            said = TOOLCHAIN
        elif "allnoconfig" in argv:
            shutil.copyfile(folders["/fragment"], folders["/out"] / ".config.new")
        elif argv[0] == "make":
            _make(folders["/src"], folders["/out"], (environment or {})["LOCALVERSION"])
        elif argv[0] == "sh":
            _compile_guest(folders["/out"])
        elif argv[0] == "gcc":
            (folders["/out"] / Path(argv[argv.index("-o") + 1]).name).write_text("a plugin")
        elif argv[0] == "qemu-system-aarch64":
            _dump_device_tree(argv, folders["/out"])
        elif argv[0] == "timeout":
            _boot(argv, folders["/image"], folders["/out"])
            if "/timelines.so" in folders:
                said = f"timelines: {argv[argv.index('-smp') + 1]} clocks"
        on_line(said)
        self.busy.append((argv[0], 0.0, 1.0))
        return Finished(0, said, 0.0, 1.0)


def _dump_device_tree(argv: Sequence[str], out: Path) -> None:
    _, _, name = argv[argv.index("-M") + 1].rpartition("dumpdtb=")
    cpus = int(argv[argv.index("-smp") + 1])
    (out / Path(name).name).write_bytes(blob([(f"cpu@{number}", {}) for number in range(cpus)]))


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the verbs work in a small project with a cache of its own, and return the project."""
    monkeypatch.setattr("patchbench.pipeline.Engine", FakeEngine)
    monkeypatch.setenv("PATCHBENCH_CACHE", str(folder / "cache"))
    monkeypatch.setenv("PATCHBENCH_SLOTS", str(folder / "slots"))
    root = project(folder / "project")
    in_checkout(monkeypatch, root)
    return root


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put nothing where plots would be: they take most of a report's time."""
    for plot in ("ecdf", "pairs", "strip", "curves", "scaling"):
        monkeypatch.setattr(f"patchbench.report.plots.{plot}", lambda *_, **__: Markup())
    monkeypatch.setattr("patchbench.runs.history.svg", lambda *_: "")


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Return a list to which every command from now on is added."""
    commands: list[Sequence[str]] = []
    run = FakeEngine.run

    def record(engine: FakeEngine, image: str, argv: Sequence[str], *rest: Any, **more: Any) -> Any:
        commands.append(argv)
        return run(engine, image, argv, *rest, **more)

    monkeypatch.setattr(FakeEngine, "run", record)
    return commands


def project(folder: Path) -> Path:
    """Return a copy of the project with small kernels and series of one patch.

    v0 makes one line of them fast, v1 two.
    """
    (folder / "configs/kernels").mkdir(parents=True)
    for name in ("qemu", "workloads"):
        (folder / name).symlink_to(PROJECT / name)
    (folder / "docs").mkdir()  # calibrate writes there
    shutil.copy(PROJECT / "docs/calibration.json", folder / "docs")
    for path in (PROJECT / "configs").iterdir():
        if path.name != "kernels":
            (folder / "configs" / path.name).symlink_to(path)
    for kernel, version in (("mainline", "7.3.4"), ("lts", "6.12.117")):
        repository = _kernel(folder, kernel, version)
        line = version.rpartition(".")[0]
        for series, old, new in (
            ("v0", "line 20", "fast line 20"),
            ("v1", "line 10", "fast line 10\nfast line 10, too"),
        ):
            write_patch(folder / "patches" / series / line, 1, old, new, repository)
            git(repository, "reset", "--quiet", "--hard", "base")
            note = f'title = "for a test"\nengaged_vmstat = "{COUNTER}"\n'
            (folder / "patches" / series / "series.toml").write_text(note)
    known = tomllib.loads((PROJECT / "patches/v0/variants.toml").read_text())["variants"]
    (folder / "patches/v0/variants.toml").write_text("".join(map(_variant, known)))
    return folder


def _variant(name: str) -> str:
    return (
        f'[variants.{name}]\nsummary = "of a test"\nfile = "mm/swapfile.c"\n'
        f'find = "fast line 20"\nput = "fast line 20, {name}"\n'
    )


def _kernel(project: Path, name: str, version: str) -> Path:
    repository = small_kernel(project / "origins" / name)
    numbers = dict(zip(("VERSION", "PATCHLEVEL", "SUBLEVEL"), version.split("."), strict=True))
    makefile = "".join(f"{key} = {number}\n" for key, number in numbers.items())
    (repository / "Makefile").write_text(f"{makefile}EXTRAVERSION =\n")
    plants = planted.load(PROJECT)
    with (repository / "mm/swapfile.c").open("a") as code:
        code.write(plants.relink.find + plants.slower.find)
    git(repository, "init", "--quiet")
    git(repository, "add", "--force", *KERNEL_FILES)
    git(repository, "commit", "--quiet", "--message", "base")
    git(repository, "branch", "base")
    (project / f"configs/kernels/{name}.toml").write_text(
        f'summary = "small"\n[origin]\nkind = "git"\nurl = "{repository}"\nref = "base"\n'
    )
    return repository


def _make(source: Path, objects: Path, local_version: str) -> None:
    """Leave what is kept of a build; the code says how many lines of the source are fast."""
    fast = (source / "mm/swapfile.c").read_text().count("fast")
    numbers = re.findall(r"= (\d+)", (source / "Makefile").read_text())
    release = ".".join(numbers) + local_version
    function = Function([*[NOP] * (9 - fast), RET], file="swapfile.c")
    left = {
        "arch/arm64/boot/Image": f"{release}\nfast {fast}\n".encode(),
        "System.map": b"symbols",
        "vmlinux": (PROFILE_DATA / "tiny.elf").read_bytes(),
        "mm/swapfile.o": b"an object",
        "vmlinux.o": relocatable({"first": function}, {}),  # which tiny.elf runs
        "include/config/kernel.release": f"{release}\n".encode(),
    }
    for name, data in left.items():
        (objects / name).parent.mkdir(parents=True, exist_ok=True)
        (objects / name).write_bytes(data)


def _compile_guest(out: Path) -> None:
    catalog = Catalog(PROJECT)
    for program in {catalog.workload(name).program for name in catalog.workloads()}:
        (out / program).write_text(program)
    (out / "busybox").write_text("busybox")


def _boot(argv: Sequence[str], image: Path, out: Path) -> None:
    """Leave the logs of a boot in which every clock ran a tenth shorter for a fast line."""
    release, fast = image.read_text().split("\n")[:2]
    lines = int(fast.split()[1])
    words = argv[argv.index("-append") + 1].partition('pb_workload="')[2].rstrip('"').split()
    seed = int(words[-1].removeprefix("seed="))
    text = f"patchbench 1\nmeta release {release}\nmeta swapoff ended\nmeta swapped_pages 1000\n"
    if lines:
        text += f"meta vmstat.{COUNTER} {lines}\n"
    clock_ns = (BASE_NS + 1000 * seed) * (10 - lines) // 10
    for metric in Catalog(PROJECT).metrics(words[0]).values():
        text += f"metric {metric.name} {metric.unit} {metric.better}\n"
        text += f"sample {metric.name} {clock_ns if metric.unit == 'ns' else 0} 1000000\n"
    (out / RESULTS).write_text(f"{text}end ok\n")
    (out / CONSOLE).write_text(CLEAN_CONSOLE)
    if any(PROFILE in word for word in argv):
        (out / PROFILE).write_text(PROFILE_OF_TINY)
