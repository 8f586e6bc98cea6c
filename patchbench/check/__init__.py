# SPDX-License-Identifier: GPL-2.0-only
"""Build a series in every configuration, and boot the workloads that would show it up.

Doors: checking, request

    request    what to check, and the command that asks for it again
    checking   goes through kernels, rows and hazards, and collects the findings
    matrixing  goes through the rows of the build matrix, patch by patch
    matrix     configs/matrix.toml: the rows
    rowbuild   compiles one row
    partial    the part of a kernel around the files of a series
    names      which names that a build leaves undefined the series is to blame for
    rows       judges one row
    hazards    judges one hazard's boot
    answers    the answer sheet: which questions the findings answer

`patchbench.findings` has the finding itself and what findings add up to; reports read it as well.
"""
