# SPDX-License-Identifier: GPL-2.0-only
"""The verbs: parse flags, call the pipeline, print, choose the exit status. No logic.

A verb imports what it calls when it is called: `invoke --list` waits for no other verb's numpy.

    common     the flags, statuses and tables that verbs share
    needs      what must be set up before a verb runs
    kernels    fetch, apply, range-diff, build, boot
    intake     intake
    measuring  bench, profile
    reporting  report, compare, history
    coverage   coverage
    iterating  iterate
    replying   answers to mails, of `report`
    judging    gate, check, calibrate, publish, verify
    studies    study
    working    work, worker, cluster
    upkeep     list, doctor, clean, test, harden, lint, dev.timings
"""
