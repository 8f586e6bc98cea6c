# SPDX-License-Identifier: GPL-2.0-only
"""What is in a vmlinux or a vmlinux.o, and how two of them differ: files in, nothing written.

Doors: addresses, symbols, codemap

    elf        sections and symbols of an ELF file, within bounds
    objects    functions of a vmlinux.o, and what their relocations point to
    addresses  which function an address lies in
    symbols    which functions differ between two builds
    codemap    functions.json: keeps what `symbols` found
"""
