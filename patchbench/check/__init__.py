# SPDX-License-Identifier: GPL-2.0-only
"""Build a series in every configuration, and boot the workloads that would show it up.

Doors: checking, request, rowmaking

    request    what to check, and the command that asks for it again
    checking   goes through kernels, rows and hazards, and collects the findings
    matrixing  goes through the rows of the build matrix, patch by patch
    onerow     makes what is needed of one row with one series
    rowjobs    the same as a job for another host, and what comes back, as data
    rowplacing has other hosts do such jobs, or writes them down for `work`
    rowmaking  does one
    matrix     configs/matrix.toml: the rows
    rowbuild   compiles one row
    partial    the part of a kernel around the files of a series
    names      which names that a build leaves undefined the series is to blame for
    rows       judges one row
    hazards    judges one hazard's boot
    answers    the answer sheet: which questions the findings answer

`patchbench.findings` has the finding itself and what findings add up to; reports read it as well.
"""
