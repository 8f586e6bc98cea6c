# SPDX-License-Identifier: GPL-2.0-only
"""Build a series in every configuration, and boot it into what a swap maintainer would try.

Doors: checking, request

    checking   goes through kernels, rows and hazards, and collects the findings
    matrixing  goes through the rows of the build matrix, patch by patch
    matrix     configs/matrix.toml: the rows
    rowbuild   compiles one row
    partial    the part of a kernel around the files of a series
    buildlog   what compiler, linker and sparse said
    rows       judges one row
    hazards    judges one hazard's boot
    answers    the answer sheet: which questions the findings answer
"""
