# SPDX-License-Identifier: GPL-2.0-only
"""Runs of `bench`: made, stored, found, read, compared, published, repeated.

Doors: benching, planning, archive, folder, reading, publishing, published, verifying, history,
scaling, times

    benching    builds both arms, plans the run and boots it
    planning    builds both arms, and writes the boots as jobs for other hosts
    folder      results/runs/RUN: its files, written and read
    archive     finds a bench, a check or a study by its name
    reading     what a run says, worked out from its plan and logs
    publishing  puts a run into results/published/
    published   results/published/NAME: its files, compact
    images      the images of a published run
    verifying   builds a published run's kernels again and repeats its boots
    recounting  works out again every number that a published run reports
    across      joins the arms of two runs
    history     follows one metric over all runs
    scaling     finds the runs that differ in one parameter alone
    times       where a run's wall time went
"""
