# SPDX-License-Identifier: GPL-2.0-only
"""The build stage, with an engine that only pretends to run make."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from patchbench.errors import BuildFailed, KconfigDropped, ToolFailed
from patchbench.model import Flavour, Image, Series, Source, Toolchain, Tree
from patchbench.stages import build, make
from patchbench.store import Store
from patchbench.tools.container import Bind, Engine, Finished, Limits
from patchbench.tools.files import remove
from patchbench.tools.git import Repository
from tests.fakes import Listener

TOOLCHAIN = Toolchain("sha256:1", "digest", "debootstrap", "14.2.0", "2.44", "10.0.13")
FRAGMENT = "CONFIG_SWAP=y\n# CONFIG_TINY is not set\n"


@dataclass
class FakeMake:
    """Does what make would: .config for allnoconfig, Image, all that is kept for Image."""

    objects: Path
    config: str = FRAGMENT
    log: str = "  CC      mm/swapfile.o\n  LD      vmlinux"
    status: int | None = 0
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    at_end: Callable[[], object] = lambda: None

    def run(
        self,
        image: str,
        argv: Sequence[str],
        limits: Limits,
        *,
        binds: Sequence[Bind] = (),
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
        **other: Any,
    ) -> Finished:
        self.calls.append({"argv": argv, "binds": binds, "environment": environment, **other})
        if "allnoconfig" in argv:
            (self.objects / ".config.new").write_text(self.config)
            return Finished(0, "", 0, 1)
        for line in self.log.splitlines():
            on_line(line)
        if self.status == 0:
            (self.objects / "arch/arm64/boot").mkdir(parents=True, exist_ok=True)
            (self.objects / "arch/arm64/boot/Image").write_text("kernel")
            (self.objects / "System.map").write_text("symbols")
            (self.objects / "vmlinux").write_text("code")
            (self.objects / "vmlinux.o").write_text("code before linking")
            (self.objects / "include/config").mkdir(parents=True, exist_ok=True)
            release = "7.3.4" + (environment or {})["LOCALVERSION"]
            (self.objects / "include/config/kernel.release").write_text(f"{release}\n")
            self.at_end()
        return Finished(self.status, self.log, 0, 1)


@dataclass
class Site:
    """A place to build at."""

    root: Path
    make: FakeMake
    story: Listener = field(default_factory=Listener)

    def build(self) -> Image:
        tree = Tree(
            Source("mainline", "7.3.4", "a test's", self.root, "c0", ""),
            Series("v0", "7.3"),
            "c1",
            "t1",
        )
        place = make.Lane(
            name="mainline-v0",
            source=self.root / "source",
            objects=self.make.objects,
            compiler_cache=self.root / "ccache",
            base_cache=self.root / "ccache-base",
            base=False,
            logs=self.root / "logs",
        )
        return build.build(
            cast(Engine, self.make),
            Store(self.root / "shelf"),
            tree,
            Flavour("bench", FRAGMENT),
            TOOLCHAIN,
            lane=place,
            story=self.story,
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(Repository, "without_code", lambda self, commit: "Kconfig, Makefile")
    (tmp_path / "source/mm").mkdir(parents=True)
    (tmp_path / "source/Kconfig").write_text(
        'config SWAP\n    bool "Swap"\n    depends on MMU\nconfig TINY\n    bool "Toy"\n'
    )
    return Site(tmp_path, FakeMake(tmp_path / "objects"))


def test_the_release_carries_the_key(site: Site) -> None:
    image = site.build()
    assert image.release == f"7.3.4-pb-{image.key[:12]}"
    assert image.path.read_text() == "kernel"
    assert site.make.calls[-1]["environment"]["LOCALVERSION"] == f"-pb-{image.key[:12]}"


def test_the_source_is_read_only_and_the_container_untrusted(site: Site) -> None:
    site.build()
    for call in site.make.calls:
        writable = {bind.inside for bind in call["binds"] if bind.writable}
        assert writable == {"/out", "/ccache"}
        assert "trusted" not in call


def test_an_unchanged_configuration_is_not_touched(site: Site) -> None:
    site.build()
    config = site.make.objects / ".config"
    before = config.stat().st_mtime_ns
    site.build()
    assert config.stat().st_mtime_ns == before


def test_after_an_edit_of_code_make_is_not_asked_again_what_the_fragment_comes_to(
    site: Site,
) -> None:
    def asked() -> int:
        return sum("allnoconfig" in call["argv"] for call in site.make.calls)

    site.build()
    remove(site.make.objects)
    site.make.objects.mkdir()
    site.build()
    assert asked() == 1
    assert (site.make.objects / ".config").read_text() == FRAGMENT


def test_after_an_edit_of_a_kconfig_file_make_is_asked_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.build()
    monkeypatch.setattr(Repository, "without_code", lambda self, commit: "another Kconfig")
    site.make.config = ""
    with pytest.raises(KconfigDropped):
        site.build()


def test_a_dropped_symbol_is_named_with_its_unmet_dependency(site: Site) -> None:
    site.make.config = "CONFIG_TINY=y\n"
    with pytest.raises(KconfigDropped) as caught:
        site.build()
    message = str(caught.value)
    assert "CONFIG_SWAP: asked y, got n\n    Kconfig:1 depends on MMU (MMU=n)" in message
    assert "CONFIG_TINY: asked n, got y" in message
    assert caught.value.exit_code == 22
    assert len(site.make.calls) == 1  # nothing was compiled


def test_a_compile_error_is_named_with_its_place_and_the_log(site: Site) -> None:
    site.make.status = 2
    site.make.log = (
        "  CC      mm/swapfile.o\n"
        "../mm/swapfile.c:12:9: warning: unused variable\n"
        "/src/mm/swapfile.c:2110:5: error: expected ';' before '}' token\n"
        "make[3]: *** [/src/scripts/Makefile.build:289: mm/swapfile.o] Error 1"
    )
    with pytest.raises(BuildFailed) as caught:
        site.build()
    message = str(caught.value)
    assert "mm/swapfile.c:2110: expected ';' before '}' token" in message
    assert str(site.root / "logs/build-mainline-v0-bench.log") in message
    assert not list((site.root / "shelf").glob("images/*"))


def test_a_full_disk_is_not_called_a_compile_error(site: Site) -> None:
    site.make.status, site.make.log = 2, "fatal error: No space left on device"
    with pytest.raises(ToolFailed, match="disk is full"):
        site.build()


def test_a_build_that_takes_too_long_says_so(site: Site) -> None:
    site.make.status = None
    with pytest.raises(ToolFailed, match="not built within"):
        site.build()


def test_after_a_build_that_was_cut_off_nothing_of_it_is_trusted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        half = site.make.objects / "arch/arm64/boot/half"
        half.parent.mkdir(parents=True)
        half.touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(site.make, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            site.build()
    site.build()
    assert not (site.make.objects / "arch/arm64/boot/half").exists()


def test_a_compile_error_keeps_what_was_compiled(site: Site) -> None:
    site.build()
    (site.make.objects / "kept.o").touch()
    site.make.status = 2
    with pytest.raises(BuildFailed):
        site.build()
    site.make.status = 0
    site.build()
    assert (site.make.objects / "kept.o").exists()


def test_the_price_of_a_build_is_told_before_it_is_paid(site: Site) -> None:
    site.make.log = "  CC      mm/swapfile.o\n" * 400
    site.build()
    (site.root / "logs/steps-mainline-v0-bench").write_text("1290 0.5\n")
    header = site.root / "source/mm/swap.h"
    header.touch()
    (site.make.objects / "mm").mkdir()
    for number in range(240):
        built = site.make.objects / f"mm/{number}.o"
        built.touch()
        os.utime(built, (1000, 1000))
        noted = f"deps_mm/{number}.o := \\\n  /src/mm/swap.h \\\n"
        built.with_name(f".{number}.o.cmd").write_text(noted)
    site.build()
    told = "240 of 240 objects will be built, because of mm/swap.h, about 2 min"
    assert told in site.story.heard


def test_a_build_notes_what_an_object_took(site: Site) -> None:
    site.make.log = "  CC      mm/swapfile.o\n" * 20 + "  LD      vmlinux"
    site.build()
    noted = (site.root / "logs/steps-mainline-v0-bench").read_text()
    assert noted.split()[0] == "21"
    assert float(noted.split()[1]) >= 0


@pytest.mark.parametrize("noted", ["1290", "", "many few", "1290 nan x"])
def test_a_pace_that_an_older_version_or_nobody_noted_tells_no_time(site: Site, noted: str) -> None:
    site.build()
    (site.root / "logs/steps-mainline-v0-bench").write_text(noted)
    site.build()
    assert not any("about" in line for line in site.story.heard)


def leave_link(path: Path) -> None:
    (path.parent / "secret").write_text("the host's")
    path.symlink_to(path.parent / "secret")


def leave_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def leave_fifo(path: Path) -> None:
    os.mkfifo(path)


def leave_folder(path: Path) -> None:
    (path / "deeper").mkdir(parents=True)


def leave_sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(3 << 30)


@pytest.mark.parametrize(
    "leave", [leave_link, leave_link_to_itself, leave_fifo, leave_folder, leave_sparse]
)
@pytest.mark.parametrize("name", [*build._KEPT.values()])
def test_whatever_a_build_leaves_in_place_of_a_file_is_refused_and_shelved_nowhere(
    site: Site, name: str, leave: Callable[[Path], None]
) -> None:
    def hostile() -> None:
        remove(site.make.objects / name)
        leave(site.make.objects / name)

    site.make.at_end = hostile
    with pytest.raises(BuildFailed, match="the series may be why"):
        site.build()
    assert not list((site.root / "shelf").glob("images/*"))


@pytest.mark.parametrize(
    "leave", [leave_link, leave_link_to_itself, leave_fifo, leave_folder, leave_sparse]
)
def test_what_the_last_build_left_in_place_of_its_configuration_stops_no_build(
    site: Site, leave: Callable[[Path], None]
) -> None:
    site.make.objects.mkdir()
    leave(site.make.objects / ".config")
    assert site.build().release


@pytest.mark.parametrize("release", [b"\xff\xfe", b"", b"7.3.4\n7.3.5", b"7.3 \x1b[2J", b"7" * 100])
def test_a_release_that_is_none_is_refused(site: Site, release: bytes) -> None:
    # Before 9d0c9f199761: a build's text could reach the shelf as a release.
    path = site.make.objects / "include/config/kernel.release"
    site.make.at_end = lambda: path.write_bytes(release) and None
    with pytest.raises(BuildFailed, match="no kernel release"):
        site.build()


def test_a_kconfig_file_outside_the_source_is_not_read(site: Site) -> None:
    secret = site.root / "secret"
    secret.write_text('config SWAP\n    bool "leak"\n    depends on SECRET\n')
    (site.root / "source/Kconfig").write_text('source "../secret"\nsource "link"\n')
    (site.root / "source/link").symlink_to(secret)
    site.make.config = ""
    with pytest.raises(KconfigDropped, match="no Kconfig file of this kernel defines it"):
        site.build()
