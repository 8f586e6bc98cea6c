# SPDX-License-Identifier: GPL-2.0-only
"""The toolchain image, and what a patch can reach from inside it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from patchbench.errors import ToolFailed
from patchbench.pipeline import Pipeline
from patchbench.tools import container
from patchbench.tools.container import Bind, Limits, own
from patchbench.tools.output import Output
from patchbench.tools.qemu import Hypervisor
from tests.fakes import machine, workload

HOSTILE = r"""
echo "uid $(id -u)"
sed -n 's/^CapEff:\t/capabilities /p; s/^NoNewPrivs:\t/no-new-privileges /p' /proc/self/status
touch /src/owned 2>/dev/null && echo "wrote the source"
touch /usr/owned 2>/dev/null && echo "wrote the root"
grep -c . /proc/net/route | sed 's/^/routes and heading /'
ls /sys/class/net | tr '\n' ' ' | sed 's/^/interfaces /'; echo
find / -name 'docker.sock' -o -name 'podman.sock' 2>/dev/null
ls -A "$HOME" /root /home 2>/dev/null | grep -v ':$' | grep . && echo "saw a home"
echo "wrote /out" > /out/mark && cat /out/mark
"""


def test_the_toolchain_is_the_one_that_was_asked_for(run: Pipeline) -> None:
    assert run.toolchain.gcc.startswith("14.")
    assert run.toolchain.qemu.startswith("10.")
    assert run.toolchain.binutils
    assert len(run.toolchain.digest) == 64


def test_a_hostile_build_reaches_neither_network_nor_host(run: Pipeline, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    done = run.engine.run(
        run.toolchain.image_id,
        ["sh", "-uc", HOSTILE],
        Limits(timeout_s=60),
        binds=[Bind(source, "/src"), Bind(own(tmp_path / "out"), "/out", writable=True)],
        environment={"HOME": "/tmp"},
    )
    printed = done.said.splitlines()
    assert printed[0] != "uid 0"
    assert sorted(printed[1:]) == [
        "capabilities 0000000000000000",
        "interfaces lo ",
        "no-new-privileges 1",
        "routes and heading 1",
        "wrote /out",
    ]


def test_a_container_that_runs_too_long_is_ended(run: Pipeline) -> None:
    done = run.engine.run(run.toolchain.image_id, ["sleep", "60"], Limits(timeout_s=1))
    assert done.status is None
    assert done.seconds < 30


def test_all_that_programs_print_side_by_side_arrives(run: Pipeline) -> None:
    def printed(_: int) -> str:
        many = ["seq", "-f", "%0100.0f", "27000"]
        return run.engine.run(run.toolchain.image_id, many, Limits(timeout_s=60)).said

    whole = "\n".join(f"{number:0100}" for number in range(1, 27_001))
    with ThreadPoolExecutor(4) as pool:
        assert [said == whole for said in pool.map(printed, range(12))] == [True] * 12


def test_output_that_the_engine_loses_is_no_output(
    run: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = container._read

    def lose_the_end(printed: Iterable[bytes], output: Output) -> None:
        read(islice(printed, 1), output)
        for _ in printed:
            pass

    monkeypatch.setattr(container, "_read", lose_the_end)
    with pytest.raises(ToolFailed, match="lost a part of what seq printed") as caught:
        run.engine.run(run.toolchain.image_id, ["seq", "100000"], Limits(timeout_s=60))
    assert caught.value.exit_code == 30


def test_a_toolchain_without_qemu_ends_with_thirty(run: Pipeline, tmp_path: Path) -> None:
    assert run.toolchain.base  # which is where the base image comes from
    initrd = tmp_path / "initrd"
    initrd.touch()
    hypervisor = Hypervisor(run.engine, run.toolchain)
    hypervisor._image = "patchbench/base:trixie"
    with pytest.raises(ToolFailed, match="QEMU does not start") as caught:
        hypervisor.run(
            machine(), workload(), image=initrd, initrd=initrd, seed=1, out=tmp_path / "out"
        )
    assert caught.value.exit_code == 30
