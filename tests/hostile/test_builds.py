# SPDX-License-Identifier: GPL-2.0-only
"""What a hostile Makefile gets at, in the container that compiles it.

Each attack is a recipe that succeeds if there is a breach. The controls run the same recipes where
the breach is open, and show that the test would see it.
"""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BuildFailed, Overrun
from patchbench.pipeline import Pipeline
from patchbench.stages import build
from patchbench.stages.make import Lane, Make
from patchbench.tools.container import Finished, Limits
from patchbench.tools.output import MOST_BYTES

#: Recipes by what they would breach. Each must end by itself, and with a status that is not 0.
ATTACKS = {
    "reads a file of the host": "cat {secret}",
    "reads the home folder": "ls -A {home} | grep -q .",
    "finds the engine's socket": "test -e /var/run/docker.sock -o -e /run/docker.sock",
    "reaches the host's loopback": "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'",
    "reaches the host over its bridge": "timeout 5 bash -c 'exec 3<>/dev/tcp/{bridge}/{port}'",
    "asks a name server": "timeout 5 getent hosts kernel.org",
    "writes into the source": "touch /src/planted",
    "writes into the base compiler cache": "touch /ccache-base/planted",
    "writes into the root file system": "touch /planted",
    "is root": "test $(id -u) -eq 0",
    "gains privileges": "grep -q 'NoNewPrivs:.0' /proc/self/status",
    "keeps a capability": "grep 'Cap[PEB]' /proc/self/status | grep -v 0000000000000000",
    "mounts": "mount -t tmpfs none /tmp",
    "makes a user namespace": "unshare --user true",
    "makes a device": "mknod /out/device b 8 0",
    "opens a socket of the kernel's own": "perl -e 'exit !socket(S, 16, 3, 0)'",  # AF_NETLINK
    "opens a socket to the hypervisor": "perl -e 'exit !socket(S, 40, 1, 0)'",  # AF_VSOCK
    "has io_uring": "perl -e 'syscall(425, 1, 0); exit $! != 14'",  # EFAULT: it looked
    "writes a file beyond the limit": "truncate -s 5G /out/large",
}
#: Those that succeed in a container of ours that may do it: root, the network, a writable root.
OPEN_TO_THE_TRUSTED = (
    "reaches the host over its bridge",
    "writes into the root file system",
    "is root",
    "gains privileges",
    "opens a socket of the kernel's own",
    "keeps a capability",
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return what the attacks aim at: a secret, and a port that answers on every address."""
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_text("the host's")
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104  # so that a breach is seen
        yield {
            "secret": str(secret),
            "home": str(Path.home()),
            "port": str(server.getsockname()[1]),
            "bridge": "172.17.0.1",
        }


@pytest.fixture
def lane(tmp_path: Path) -> Lane:
    for name in ("source", "objects", "ccache", "base", "logs"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    return Lane(
        name="hostile",
        source=tmp_path / "source",
        objects=tmp_path / "objects",
        compiler_cache=tmp_path / "ccache",
        base_cache=tmp_path / "base",
        base=False,
        logs=tmp_path / "logs",
    )


def attack(run: Pipeline, lane: Lane, recipe: str) -> Finished:
    """Make a target whose recipe is the attack, as a kernel's build would."""
    text = recipe.replace("$", "$$")
    (lane.source / "Makefile").write_text(f"SHELL = /bin/bash\nattack:\n\t@{text}\n")
    return Make(run.engine, run.toolchain.image_id, lane, "")("attack")


@pytest.mark.parametrize("what", ATTACKS)
def test_a_hostile_makefile_never(
    run: Pipeline, lane: Lane, host: dict[str, str], what: str
) -> None:
    done = attack(run, lane, ATTACKS[what].format_map(host))
    assert done.status not in (0, None), done.said
    assert not (lane.source / "planted").exists()
    assert list(lane.base_cache.iterdir()) == []


@pytest.mark.parametrize("what", OPEN_TO_THE_TRUSTED)
def test_the_same_recipe_succeeds_where_the_breach_is_open(
    run: Pipeline, host: dict[str, str], what: str
) -> None:
    recipe = ATTACKS[what].format_map(host)
    image, limits = run.toolchain.image_id, Limits(timeout_s=30)
    done = run.engine.run(image, ["bash", "-c", recipe], limits, trusted=True)
    assert done.status == 0, done.said


def test_a_build_that_fills_the_disk_is_ended_and_its_files_are_gone(
    run: Pipeline, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = run.engine.run

    def strict(image: str, argv: object, limits: Limits, **rest: object) -> Finished:
        return start(image, argv, replace(limits, disk_gib=1), **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(run.engine, "run", strict)
    with pytest.raises(Overrun, match="and was stopped"):
        attack(run, lane, "for n in {1..99}; do head -c 200M /dev/zero > /out/$n; done")
    assert not lane.objects.exists()


def test_a_build_that_prints_without_end_takes_no_more_memory_than_its_bound(
    run: Pipeline, lane: Lane
) -> None:
    done = attack(run, lane, "head -c 40M /dev/zero | tr '\\0' x; yes | head -c 4M")
    assert len(done.said) < 2 * MOST_BYTES


def test_a_fork_bomb_ends_with_its_container(run: Pipeline, lane: Lane) -> None:
    # Nothing of the bomb holds the output open, or the test would wait until it is over.
    done = attack(run, lane, "for n in {1..6000}; do sleep 300 >/dev/null 2>&1 & done; exit 7")
    assert done.status not in (0, None)


@pytest.mark.parametrize(
    "recipe",
    [
        "ln -s /etc/passwd {file}",
        "ln -s Image {file}",
        "mkfifo {file}",
        "mkdir -p {file}/deeper",
        "truncate -s 3G {file}",
    ],
)
def test_what_a_build_leaves_in_place_of_its_image_is_not_taken(
    run: Pipeline, lane: Lane, tmp_path: Path, recipe: str
) -> None:
    image = "/out/arch/arm64/boot/Image"
    done = attack(run, lane, f"mkdir -p {Path(image).parent}; {recipe.format(file=image)}")
    assert done.status == 0, done.said
    with pytest.raises(BuildFailed, match="the series may be why"):
        build._keep(lane.objects, tmp_path)
