# SPDX-License-Identifier: GPL-2.0-only
"""The line: each stage takes typed artefacts and returns one.

Doors: all

    0 toolchain  recipe                -> Toolchain
      fetch      a kernel's file       -> Source: one commit of the kernel's repository
    1 series     patches/SERIES/LINE   -> Series
    2 tree       Source, Series        -> Tree
    3 build      Tree, Flavour         -> Image
    4 guest      workload, init        -> Guest
      plugin     qemu/plugins/NAME     -> a plugin that QEMU loads
      platform   Machine               -> Platform: its plugin and device tree, if it needs them
    5 boot       Arm, seed             -> Boot
    6 boots      Arms, seeds           -> Boots of both arms, in the order their machine wants
    7 compare    Plan, Boots           -> Comparison
    8 report/    Comparison            -> text
    9 gate/      Policy, Comparisons   -> Verdict

Helpers: pool (where boots run: this host, unless others joined), lanes (which folders a build may
write), make (make in a container), outdated (which objects it will compile), buildlog (what its log
reports), splats (which console lines are trouble), books (whether a boot's CPU time can be true,
and what looking took of it), kconfig (asked for against got), devicetree (the capacities of CPUs),
variants and planted (a series or a kernel with a few lines changed).
"""
