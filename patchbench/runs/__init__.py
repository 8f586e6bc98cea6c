# SPDX-License-Identifier: GPL-2.0-only
"""Runs, made, stored, found, read again, published, repeated and compared.

Doors: benching, verifying, archive, folder, published, history, scaling

    benching   builds the arms, plans the run and boots it
    archive    finds a bench, check or study by its name
    folder     results/runs/RUN: how it is written, found and read
    published  results/published/NAME: the same in compact text
    verifying  builds a published run's kernels again and repeats its boots
    across     joins the arms of two runs
    history    follows one metric over all runs
    scaling    finds the runs that differ in one parameter alone
"""
