# SPDX-License-Identifier: GPL-2.0-only
"""Drop-in files: those that are here, and those that are wrong."""

from pathlib import Path

import pytest

from patchbench import kconfig, series
from patchbench.catalog import Catalog
from patchbench.errors import BadInput, UnknownName

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
                    assert catalog.kernel(name).summary
                case "machine":
                    assert catalog.machine(name).cannot_show
                case "workload":
                    assert (ROOT / "workloads" / "Makefile").is_file()
                    assert catalog.workload(name).parameters
                case "flavour":
                    assert kconfig.settings(catalog.flavour(name, "7.3").fragment)
                case _:  # series: see the next test
                    assert noun == "series"
    assert catalog.splat_policy().deny
    assert catalog.profile_map().group


def test_every_port_of_every_series_loads() -> None:
    for port in (ROOT / "patches").glob("*/*/"):
        assert series.load(ROOT, port.parent.name, port.name).patches, port


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
