# SPDX-License-Identifier: GPL-2.0-only
"""An archive that has moved on: what a run was built of comes from its snapshots."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from patchbench.errors import BadInput, ToolFailed
from patchbench.model import DebianOrigin, KernelSpec
from patchbench.pipeline import Pipeline
from patchbench.stages import toolchain
from patchbench.store import Store
from patchbench.tools import debian
from patchbench.tools.container import Engine
from tests.e2e.conftest import ROOT
from tests.fakes import Listener

THEN, NEVER = "20260101T000000Z", "20250101T000000Z"
BASE = "patchbench/base:a-test-s-archive"
PACKAGES = ("linux-source-9.9", "a-tool")
#: An image whose only archive is in itself, with today's a-tool installed.
DOCKERFILE = b"""
ARG BASE
FROM ${BASE}
COPY archive.tar /archive.tar
RUN mkdir /archive && tar -xf /archive.tar -C /archive \\
 && rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* \\
 && echo 'deb [trusted=yes] file:/archive/now trixie main' >/etc/apt/sources.list \\
 && dpkg --install /archive/now/pool/a-tool_*.deb
"""
#: Stands for the real one, which takes minutes: what the archive has, described as ours is.
RECIPE = {
    "Dockerfile": "ARG BASE\nFROM ${BASE}\nRUN apt-get update && apt-get install --yes a-tool\n"
    "COPY describe-toolchain fetch-source /usr/local/bin/\n",
    "describe-toolchain": "#!/bin/sh\ndpkg-query --show --showformat '${Package}=${Version}\\n'\n"
    "printf '\\n14.2.0\\nGNU ld 2.44\\nQEMU emulator version 10.0.13\\nbusybox\\n'\n",
}


@pytest.fixture
def moved_on(
    run: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Return a way to have an image whose archive holds given versions, by snapshot."""
    assert run.toolchain.base  # so the base image is there

    def make(versions: Mapping[str, str]) -> None:
        run.engine.build(
            {"Dockerfile": DOCKERFILE, "archive.tar": archive(versions)},
            BASE,
            arguments={"BASE": toolchain._BASE_TAG},
            labels={},
            on_line=lambda _: None,
        )
        monkeypatch.setattr(toolchain, "_BASE_TAG", BASE)

    yield make
    for image in run.engine._client.images.list("patchbench/base"):
        for tag in image.tags:
            if tag == BASE or THEN in tag or NEVER in tag:
                run.engine._client.images.remove(tag)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return the folder of a small recipe, beside the one for its base."""
    shutil.copytree(ROOT / "configs/toolchain-base", tmp_path / "toolchain-base")
    folder = tmp_path / "a-tests"
    folder.mkdir()
    for name, text in RECIPE.items():
        (folder / name).write_text(text)
    shutil.copy(ROOT / "configs/toolchain/fetch-source", folder)
    return folder


def test_a_kernel_that_has_left_the_archive_comes_from_its_snapshot(
    run: Pipeline,
    project: Path,
    tmp_path: Path,
    moved_on: Callable[[Mapping[str, str]], None],
) -> None:
    moved_on({"now": "9.9.2-1", THEN: "9.9.1-1"})
    (project / "configs/kernels/old.toml").write_text(
        'summary = "a test\'s"\n[origin]\nkind = "debian"\n'
        'package = "linux-source-9.10"\nsuite = "trixie"\n'
    )
    with Pipeline(project, tmp_path / "cache", Listener()) as copied:
        source = copied.source_at("old", PACKAGES[0], THEN)
        again = copied.source_at("old", PACKAGES[0], THEN)
        gone = DebianOrigin("debian", "linux-source-9.10", "trixie", THEN)
        with pytest.raises(BadInput, match=f"trixie of {THEN} has no package linux-source-9.10"):
            copied.fetch(KernelSpec("gone", "", gone))
    assert source
    assert (source.version, source.provenance) == ("9.9.1", "linux-source-9.9 9.9.1-1")
    assert again == source


def test_a_toolchain_is_built_of_the_packages_of_its_time(
    run: Pipeline,
    tmp_path: Path,
    recipe: Path,
    moved_on: Callable[[Mapping[str, str]], None],
) -> None:
    moved_on({"now": "9.9.2-1", THEN: "9.9.1-1"})
    store = Store(tmp_path / "shelf")
    today, then = (
        toolchain.ensure(
            run.engine, store, recipe, Listener(), bootstrap_base=fail, snapshot=snapshot
        )
        for snapshot in ("", THEN)
    )
    assert "a-tool=9.9.2-1" in today.packages
    # The base image had a newer one.
    assert "a-tool=9.9.1-1" in then.packages
    assert today.digest != then.digest
    for image in (today, then):
        run.engine._client.images.remove(image.image_id, force=True)


def test_a_snapshot_that_is_not_there_is_no_older_archive(
    run: Pipeline, recipe: Path, moved_on: Callable[[Mapping[str, str]], None]
) -> None:
    moved_on({"now": "9.9.2-1", THEN: "9.9.1-1"})
    with pytest.raises(ToolFailed, match=NEVER) as caught:
        base_at(run.engine, recipe, NEVER)
    assert caught.value.exit_code == 30


@pytest.mark.parametrize("snapshot", ["yesterday", '2026"; x', "20260101T000000Z\n"])
def test_a_snapshot_that_is_no_time_is_refused(run: Pipeline, recipe: Path, snapshot: str) -> None:
    with pytest.raises(BadInput, match="no time in UTC"):
        base_at(run.engine, recipe, snapshot)


@pytest.mark.parametrize(
    ("package", "suite"),
    [
        ("-oAPT::Update::Pre-Invoke::=touch /out/owned", "trixie"),
        ("linux-source-9.9", "--allow-unauthenticated"),
        ("linux-source-9.9\n-q", "trixie"),
        ("", "trixie"),
    ],
)
def test_an_option_of_apt_is_no_package_and_no_suite(
    run: Pipeline, tmp_path: Path, package: str, suite: str
) -> None:
    origin = DebianOrigin("debian", package, suite)
    with pytest.raises(BadInput, match="no name of a package"):
        debian.fetch_source(run.engine, "an image", origin, tmp_path, Listener())


def base_at(engine: Engine, recipe: Path, snapshot: str) -> str:
    return toolchain.ensure_base(engine, recipe, Listener(), bootstrap_base=fail, snapshot=snapshot)


def fail(tag: str) -> None:
    raise AssertionError(f"the base image {tag} is not there")


def archive(versions: Mapping[str, str]) -> bytes:
    """Return a tar of a Debian archive of two packages for each folder, `now` and snapshots."""
    files: dict[str, bytes] = {}
    for folder, version in versions.items():
        index = b""
        for package in PACKAGES:
            control = (
                f"Package: {package}\nVersion: {version}\nArchitecture: all\n"
                "Maintainer: nobody <nobody@localhost>\nDescription: a test's\n"
            )
            deb = debian_package(control, kernel(version))
            path = f"pool/{package}_{version}_all.deb"
            files[f"{folder}/{path}"] = deb
            index += (
                f"{control}Filename: {path}\nSize: {len(deb)}\n"
                f"SHA256: {hashlib.sha256(deb).hexdigest()}\n\n"
            ).encode()
        files[f"{folder}/dists/trixie/main/binary-amd64/Packages"] = index
        files[f"{folder}/dists/trixie/Release"] = (
            "Origin: a test\nCodename: trixie\nComponents: main\nArchitectures: amd64 all\n"
            "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSnapshots: file:/archive/@SNAPSHOTID@/\n"
            + ("" if folder == "now" else "Valid-Until: Thu, 08 Jan 2026 00:00:00 UTC\n")
            + f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} "
            "main/binary-amd64/Packages\n"
        ).encode()
    return tar(files, "w")


def kernel(version: str) -> bytes:
    """Return the tarball of a kernel that is no more than its version, such as 9.9.2-1."""
    numbers = zip(
        ("VERSION", "PATCHLEVEL", "SUBLEVEL"), version.partition("-")[0].split("."), strict=True
    )
    makefile = "".join(f"{name} = {number}\n" for name, number in numbers) + "EXTRAVERSION =\n"
    return tar({"linux-source-9.9/Makefile": makefile.encode()}, "w:xz")


def debian_package(control: str, source: bytes) -> bytes:
    """Return a .deb, an ar archive, with one file where a kernel's source would be."""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": tar({"./control": control.encode()}, "w:xz"),
        "data.tar.xz": tar({"./usr/src/linux-source-9.9.tar.xz": source}, "w:xz"),
    }
    packed = b"!<arch>\n"
    for name, data in members.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        packed += data + b"\n" * (len(data) % 2)
    return packed


def tar(files: Mapping[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as packed:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
