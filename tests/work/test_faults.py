# SPDX-License-Identifier: GPL-2.0-only
"""What several hosts leave when something dies, hangs or lies, in processes of their own.

Whatever happens: no finished boot is lost, none is counted twice, what stands in for QEMU ends,
and exact boots are those of a run on this host, to the byte.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from patchbench.tools import cluster, process
from patchbench.tools.qemu import RESULTS
from patchbench.work import hosts
from tests import engine
from tests.command import Done, invoke
from tests.work.farm import Farm, farm, wait

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
BENCH = ("bench", "--machine", "exact", "--seeds", "3")
_BOOT_S = 0.5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    cluster.versions()  # fails at once where the library is not installed
    with pytest.MonkeyPatch.context() as patch:
        made = engine.checkout(tmp_path_factory.mktemp("hosts"), patch)
        engine.draw_nothing(patch)
        yield made


@pytest.fixture(scope="module")
def here(project: Path) -> dict[str, bytes]:
    """What the same run leaves on this host alone."""
    assert invoke(*BENCH).status == 0
    return exact_boots(project)


@pytest.fixture
def root(
    project: Path, here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The project, with an empty cache."""
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path / "cache"))
    return project


@pytest.fixture
def two(root: Path, tmp_path: Path) -> Iterator[Farm]:
    with farm(root, tmp_path / "farm", "alpha", "beta", boot_s=_BOOT_S) as made:
        yield made


@contextmanager
def meanwhile(strike: Callable[[], None]) -> Iterator[None]:
    """Strike from another thread while the block runs, and raise here what went wrong there."""
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            strike()
        except BaseException as err:  # noqa: BLE001  # it is raised below
            wrong.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
    assert wrong == []


def exact_boots(root: Path) -> dict[str, bytes]:
    """Return the results of every boot of the newest run, by machine, series and seed."""
    run = max((root / "results/runs").iterdir())
    return {
        str(path.parent.relative_to(run)): path.read_bytes()
        for path in sorted(run.glob(f"boots/*/*/*/{RESULTS}"))
    }


def bench(two: Farm) -> Done:
    return invoke(*BENCH, "--hosts", two.address)


def nothing_boots(two: Farm) -> bool:
    return not any(two.booting(name) for name in two.started)


def test_a_worker_that_is_killed_in_mid_boot_costs_its_boots_and_nothing_else(
    two: Farm, root: Path, here: dict[str, bytes]
) -> None:
    def strike() -> None:
        two.wait_for_boots("alpha")
        os.kill(two.process("alpha"), signal.SIGKILL)

    with meanwhile(strike):
        done = bench(two)
    assert done.status == 0, done.stderr
    assert "is to be done again; alpha: it died" in done.stderr
    wait(lambda: nothing_boots(two))  # it is started again, and clears what it left
    assert exact_boots(root) == here


def test_a_run_that_loses_its_scheduler_is_carried_on_by_the_next(
    two: Farm, root: Path, here: dict[str, bytes]
) -> None:
    def strike() -> None:
        two.wait_for_boots("alpha")
        two.started["scheduler"].kill()

    with meanwhile(strike):
        done = bench(two)
    assert done.status == 30, done.stderr
    assert "the scheduler at" in done.stderr
    two.start_scheduler()
    for name in ("alpha", "beta"):
        two.started[name].wait(30)  # nobody works for a scheduler that is gone
        two.start_worker(name)
    assert bench(two).status == 0
    assert exact_boots(root) == here


def test_a_stopped_worker_is_given_up_and_its_boots_are_made_elsewhere(
    root: Path, here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "3s")
    with farm(root, tmp_path / "farm", "alpha", "beta", boot_s=_BOOT_S) as two:

        def strike() -> None:
            two.wait_for_boots("alpha")
            os.kill(two.process("alpha"), signal.SIGSTOP)

        with meanwhile(strike):
            done = bench(two)
    assert done.status == 0, done.stderr
    assert "is to be done again; alpha" in done.stderr
    assert exact_boots(root) == here


def test_a_worker_that_hangs_is_given_up_after_its_time(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "_PATIENCE_S", -2 * 120 + 15)  # 120: a boot's own deadline
    with farm(root, tmp_path / "farm", "alpha") as one:
        one.start_worker("hangs", fault="hang")
        one.wait_for("hangs")
        done = bench(one)
    assert done.status == 0, done.stderr
    assert "hangs: it did not answer in 15 s" in done.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("lie", "its delivery was thrown away: its files have another checksum"),
        ("code", "is not used, it has another code another, here"),
    ],
)
def test_a_worker_that_lies_or_differs_is_told_by_name_and_adds_nothing(
    root: Path, here: dict[str, bytes], tmp_path: Path, fault: str, words: str
) -> None:
    with farm(root, tmp_path / "farm", "alpha") as one:
        one.start_worker("odd", fault=fault)
        one.wait_for("odd")
        done = bench(one)
    assert done.status == 0, done.stderr
    assert words in done.stderr
    assert exact_boots(root) == here


def test_a_job_that_is_done_twice_and_asked_for_by_two_counts_once_for_each(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with farm(root, tmp_path / "farm", boot_s=0.1) as one:
        one.start_worker("alpha", fault="twice")
        one.wait_for("alpha")
        first = bench(one)
        counted = len(exact_boots(root))
        monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path / "second-client"))
        second = bench(one)
    assert (first.status, second.status) == (0, 0)
    assert counted == len(exact_boots(root)) == 6
    shelved = [*(tmp_path / "farm/alpha").glob("cache-worker/shelf/jobs/*")]
    assert len(shelved) == 6 + 2 + 1  # each once, both clients' proofs, and the profiled one


def test_the_arms_of_a_block_run_on_one_host_one_after_the_other(two: Farm, root: Path) -> None:
    done = invoke("bench", "--machine", "parallel", "--seeds", "2", "--hosts", two.address)
    assert done.status in (0, 25), done.stderr
    run = max((root / "results/runs").iterdir())
    for seed in (1, 2):
        notes = run.glob(f"boots/parallel/*/seed-{seed}/host.json")
        assert len({note.read_text().partition('"worker": ')[2] for note in notes}) == 1


TLS = "distributed.comm.tls."


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Return the library's settings for a certificate that all sides have, and trust alone."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    process.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=patchbench", "-keyout", str(key), "-out", str(certificate)]
    )  # fmt: skip
    sides = ("scheduler", "worker", "client")
    return {
        f"{TLS}ca-file": str(certificate),
        **{f"{TLS}{side}.cert": str(certificate) for side in sides},
        **{f"{TLS}{side}.key": str(key) for side in sides},
    }


def test_over_tls_boots_are_the_same_and_nobody_without_a_certificate_is_heard(
    root: Path, here: dict[str, bytes], tmp_path: Path, certificates: dict[str, str]
) -> None:
    variables = {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": value
        for name, value in certificates.items()
    }
    settings = import_module("dask").config.set
    made = farm(root, tmp_path / "farm", "alpha", scheme="tls", settings=variables)
    with made as one:
        done = bench(one)
        assert done.status == 30
        assert "no scheduler answers" in done.stderr
        done = invoke(*BENCH, "--hosts", one.address.replace("tls://", "tcp://"))
        assert done.status == 30
        with settings(certificates):
            done = bench(one)
    assert done.status == 0, done.stderr
    assert exact_boots(root) == here
