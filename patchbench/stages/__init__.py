# SPDX-License-Identifier: GPL-2.0-only
"""The line: each stage takes typed artefacts and returns one.

Doors: all

    1 toolchain  recipe                  -> Toolchain
    2 series     patches/SERIES/LINE     -> Series
    3 tree       Source, Series          -> Tree
    4 build      Tree, Flavour           -> Image
    5 guest      workload, init          -> Guest
      plugin     qemu/plugins/NAME     -> a plugin that QEMU loads
      platform   Machine               -> Platform: its plugin and device tree, if it needs them
    6 boot       Arm, seed               -> Boot
      boots      Arms, seeds             -> Boots, in the order that their machine wants
    7 compare    Plan, Boots             -> Comparison
    8 report/    Comparison              -> text

Helpers: lanes (which folders a build may write), make (make in a container), buildlog (what its
log reports), splats (which console lines are trouble), kconfig (asked for against got), devicetree
(the capacities of CPUs), variants and planted (a series or a kernel with a few lines changed).
"""
