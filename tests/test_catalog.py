# SPDX-License-Identifier: GPL-2.0-only
"""Drop-in files: those that are here, and those that are wrong."""

from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput, UnknownName
from patchbench.stages import kconfig, series

ROOT = Path(__file__).resolve().parents[1]
MACHINE = (ROOT / "qemu/machines/exact.toml").read_text()


def with_machine(root: Path, text: str) -> Catalog:
    folder = root / "qemu/machines"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(text)
    return Catalog(root)


def test_everything_that_is_dropped_in_loads() -> None:
    catalog = Catalog(ROOT)
    for noun, names in catalog.listing().items():
        assert names, noun
        for name in names:
            match noun:
                case "kernel":
                    assert catalog.kernel(name).origin.kind in ("debian", "git", "tarball")
                case "machine":
                    assert catalog.machine(name).cannot_show, "a report has to say it"
                case "workload":
                    workload = catalog.workload(name)
                    known = catalog.parameters(workload.program)
                    assert workload.parameters.keys() <= known.keys(), name
                    assert catalog.metrics(workload.program), name
                case "flavour":
                    assert kconfig.settings(catalog.flavour(name, "7.3").fragment)
                case other:  # the next test
                    assert other == "series"
    assert catalog.profile_map().group


def test_a_kernel_that_is_another_every_day_is_used_by_name_alone() -> None:
    catalog = Catalog(ROOT)
    assert "next" in catalog.kernels()
    assert catalog.kernels_of_ports() == ["lts", "mainline"]
    assert catalog.kernel("next").origin.kind == "git"


def test_every_port_of_every_series_loads() -> None:
    ports = [(port.parent.name, port.name) for port in (ROOT / "patches").glob("*/*/")]
    assert ("v0", "7.3") in ports
    for name, line in ports:
        assert series.load(ROOT, name, line).patches, (name, line)


def test_a_new_machine_is_found_by_its_file_alone(tmp_path: Path) -> None:
    assert with_machine(tmp_path, MACHINE).machine("mine").name == "mine"


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"no machine is called 'yours'(.|\n)*mine"):
        with_machine(tmp_path, MACHINE).machine("yours")


def test_a_misspelt_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="vcpu: Unexpected keyword argument"):
        with_machine(tmp_path, MACHINE.replace("vcpus =", "vcpu =")).machine("mine")


def test_a_value_of_the_wrong_kind_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="memory_mib: "):
        with_machine(tmp_path, MACHINE.replace("memory_mib = 1024", "memory_mib = 'big'")).machine(
            "mine"
        )


def test_broken_toml_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.toml: "):
        with_machine(tmp_path, "accel = ").machine("mine")


def test_an_icount_shift_on_a_machine_that_does_not_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="icount_shift"):
        with_machine(tmp_path, MACHINE.replace('"icount"', '"tcg"')).machine("mine")


def test_a_kernel_line_may_add_to_a_flavour(tmp_path: Path) -> None:
    folder = tmp_path / "configs/kconfig"
    (folder / "6.12").mkdir(parents=True)
    (folder / "mine.config").write_text("CONFIG_SWAP=y\n")
    (folder / "6.12/mine.config").write_text("CONFIG_OLD=y\n")
    assert Catalog(tmp_path).flavour("mine", "7.3").fragment == "CONFIG_SWAP=y\n"
    assert Catalog(tmp_path).flavour("mine", "6.12").fragment == "CONFIG_SWAP=y\nCONFIG_OLD=y\n"


def test_an_unknown_flavour_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="bench"):
        Catalog(ROOT).flavour("nosuch", "7.3")


def test_a_flavour_extends_another_and_its_own_lines_win(tmp_path: Path) -> None:
    folder = tmp_path / "configs/kconfig"
    folder.mkdir(parents=True)
    (folder / "base.config").write_text("CONFIG_SWAP=y\nCONFIG_PREEMPT=y\n")
    (folder / "mine.config").write_text("# extends: base\n# CONFIG_PREEMPT is not set\n")
    flavour = Catalog(tmp_path).flavour("mine", "7.3")
    assert kconfig.settings(flavour.fragment) == {"SWAP": "y", "PREEMPT": "n"}
    assert flavour.comparable


def test_a_flavour_without_timings_is_not_comparable_nor_is_what_extends_it(tmp_path: Path) -> None:
    folder = tmp_path / "configs/kconfig"
    folder.mkdir(parents=True)
    (folder / "slow.config").write_text("# SPDX\n# timings: never\nCONFIG_KASAN=y\n")
    (folder / "slower.config").write_text("# extends: slow\nCONFIG_KCSAN=y\n")
    assert not Catalog(tmp_path).flavour("slow", "7.3").comparable
    assert not Catalog(tmp_path).flavour("slower", "7.3").comparable


def with_workload(root: Path, condition: str, also: str = "") -> Catalog:
    (root / "workloads").mkdir(parents=True)
    text = f"program = 'p'\nsummary = 's'\n{also}[parameters]\nmib = 1\n[[conditions]]\n"
    (root / "workloads/mine.toml").write_text(text + condition)
    return Catalog(root)


def test_a_condition_has_exactly_one_bound_and_a_known_kind_of_hazard(tmp_path: Path) -> None:
    known = "on = 'left_pages'\nwhy = 'w'\nquestions = ['C8']\n"
    assert with_workload(tmp_path / "a", known + "at_most = 1\n").workload("mine").conditions
    with pytest.raises(BadInput, match="exactly one bound"):
        with_workload(tmp_path / "b", known).workload("mine")
    with pytest.raises(BadInput, match="exactly one bound"):
        with_workload(tmp_path / "c", known + "at_most = 1\nat_least = 1\n").workload("mine")
    each = "more_for_each = { left_bytes = 2 }\n"
    with pytest.raises(BadInput, match="raises at_most, which it does not have"):
        with_workload(tmp_path / "e", known + "at_least = 1\n" + each).workload("mine")
    with pytest.raises(BadInput, match="questions"):
        with_workload(tmp_path / "d", known.replace("C8", "X") + "at_most = 1\n").workload("mine")


def test_a_hazard_s_conditions_may_come_with_another_s(tmp_path: Path) -> None:
    other = "on = 'left_pages'\nwhy = 'w'\nquestions = ['C8']\nat_most = 1\n"
    catalog = with_workload(tmp_path, other.replace("left_pages", "fork_ns"), "also = 'yours'\n")
    (tmp_path / "workloads/yours.toml").write_text(
        "program = 'p'\nsummary = 's'\n[parameters]\nmib = 1\n[[conditions]]\n" + other
    )
    conditions = catalog.workload("mine").conditions
    assert [condition.on for condition in conditions] == ["fork_ns", "left_pages"]
