# SPDX-License-Identifier: GPL-2.0-only
"""What is in a vmlinux or a vmlinux.o, and how two of them differ. Pure.

Doors: addresses, symbols, codemap

    objects    sections, symbols and relocations of an object file
    addresses  which function an address lies in
    symbols    which functions differ between two builds
    codemap    keeps what `symbols` found
"""
