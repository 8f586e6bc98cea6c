# SPDX-License-Identifier: GPL-2.0-only
"""Asked for against got."""

import time

import pytest

from patchbench.stages import kconfig

FILES = {
    "Kconfig": 'source "mm/Kconfig"\n\nif NET\nsource "net/Kconfig"\nendif\n',
    "mm/Kconfig": """\
menu "Memory"
    depends on MMU

config ZSMALLOC
    tristate
    depends on ZRAM || \\
        ZSWAP

config SWAP
    bool "Swap"
    depends on BLOCK && !NOMMU
    help
      Says much.
      config NOT_A_SYMBOL

config TINY
    bool "Toy" if EXPERT
    default y
endmenu
""",
    "net/Kconfig": 'config TASKSTATS\n    bool "Statistics"\n    depends on MULTIUSER = "y"\n',
}
GOT = {"MMU": "y", "BLOCK": "y", "NOMMU": "y", "MULTIUSER": "y"}


def explain(symbol: str, **changes: str) -> str:
    return kconfig.Definitions(FILES.get).explain(symbol, {**GOT, **changes})


def test_settings_read_set_and_unset_symbols() -> None:
    text = '# a comment\nCONFIG_SWAP=y\n# CONFIG_TINY is not set\nCONFIG_NAME="x y"\n'
    assert kconfig.settings(text) == {"SWAP": "y", "TINY": "n", "NAME": '"x y"'}


def test_an_absent_symbol_counts_as_not_set() -> None:
    assert kconfig.dropped({"TINY": "n"}, {}) == ()


def test_every_symbol_that_came_out_otherwise_is_dropped() -> None:
    gone = kconfig.dropped({"SWAP": "y", "TINY": "n", "HZ": "250"}, {"TINY": "y", "HZ": "250"})
    assert [(drop.symbol, drop.asked, drop.got) for drop in gone] == [
        ("SWAP", "y", "n"),
        ("TINY", "n", "y"),
    ]


def test_the_unmet_dependency_is_named_with_its_values() -> None:
    assert explain("SWAP") == "mm/Kconfig:9 depends on BLOCK && !NOMMU (BLOCK=y, NOMMU=y)"


def test_a_condition_around_a_sourced_file_counts() -> None:
    assert "depends on NET (NET=n)" in explain("TASKSTATS")


def test_a_condition_of_the_menu_counts() -> None:
    assert "depends on MMU (MMU=n)" in explain("SWAP", MMU="n", NOMMU="n")


def test_a_continued_line_is_one_condition() -> None:
    assert "ZRAM || ZSWAP (ZRAM=n, ZSWAP=n)" in explain("ZSMALLOC")


def test_a_symbol_without_prompt_is_only_selected() -> None:
    assert "no prompt" in explain("ZSMALLOC", ZRAM="y")


def test_a_symbol_that_no_file_defines_is_said_to_be_so() -> None:
    assert explain("NOT_A_SYMBOL") == "no Kconfig file of this kernel defines it"


def test_expressions_hold_as_kconfig_says() -> None:
    got = {"A": "y", "B": "m", "S": '"text"'}
    for expression, value in {
        "A && B": True,
        "A && C": False,
        "C || (A && !C)": True,
        "!(A || C)": False,
        'S = "text"': True,
        "A != y": False,
        "$(cc-option,-mfoo) && A": True,
    }.items():
        assert kconfig.holds(expression, got) is value, expression


def test_a_symbol_that_nothing_defines_is_told_even_if_it_looks_obeyed() -> None:
    asked = {"TINY": "n", "NO_SUCH": "n", "SWAP": "y"}
    assert kconfig.dropped(asked, {"SWAP": "y"}) == ()
    assert kconfig.Definitions(FILES.get).unknown(asked, {"SWAP": "y"}) == ("NO_SUCH",)


def test_an_architecture_s_symbols_are_looked_for_in_its_own_folder() -> None:
    files = {
        "Kconfig": 'source "arch/$(SRCARCH)/Kconfig"\n',
        "arch/sparc/Kconfig": 'config SPARC_ONLY\n    bool "x"\n',
    }
    asked = {"SPARC_ONLY": "n"}
    assert kconfig.Definitions(files.get, "sparc").unknown(asked, {}) == ()
    assert kconfig.Definitions(files.get, "arm64").unknown(asked, {}) == ("SPARC_ONLY",)


HOSTILE = {
    "sources itself": {"Kconfig": 'source "Kconfig"\n'},
    "source one another, doubling": {
        "Kconfig": 'source "0"\n',
        **{str(n): f'source "{n + 1}"\n' * 2 for n in range(30)},
    },
    "blocks within blocks": {"Kconfig": "if A\n" * 100_000},
    "ends of what never began": {"Kconfig": "endif\nendmenu\n" * 1000},
    "a long line of backslashes": {"Kconfig": "\\\n" * 100_000},
}


@pytest.mark.slow
@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE.keys())
def test_kconfig_files_without_end_are_read_no_further_than_a_kernel_s_go(
    files: dict[str, str],
) -> None:
    began = time.process_time()
    explained = kconfig.Definitions(files.get).explain("SWAP", {})
    assert "source one another" in explained or "no Kconfig file" in explained
    assert time.process_time() - began < 8


@pytest.mark.parametrize(
    "expression", ["(" * 50_000, "!" * 50_000 + "A", "$(" * 50_000, "A && " * 50_000]
)
def test_a_condition_longer_than_any_is_taken_to_hold(expression: str) -> None:
    assert kconfig.holds(expression, {})


def test_every_file_is_read_once_however_many_symbols_are_explained() -> None:
    # Before 9d0c9f199761: the reasons for dropped symbols took 52 s.
    read: list[str] = []

    def reading(path: str) -> str | None:
        read.append(path)
        return FILES.get(path)

    every = kconfig.Definitions(reading)
    for symbol in ("SWAP", "TINY", "TASKSTATS"):
        every.explain(symbol, GOT)
    assert read == [*dict.fromkeys(read)]
