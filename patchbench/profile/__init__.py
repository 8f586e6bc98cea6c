# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of a storm go, by function, without touching the guest.

Doors: profiling, counting, covering, iterating, iterations, counts, proof, tables, sorting, listing

    profiling  both arms profiled on an exact machine, and compared
    counting   one profiled boot of an arm, from the shelf if it is there
    covering   every workload counted; which of them run what a series changes
    coverage   the index that this makes
    iterating  a series and its base with one seed, between two edits
    iterations what that says beside the boot before
    proof      which of the functions that differ ran
    boots      one plain and one profiled boot, which must print the same
    counts     counted addresses to functions: a Profile
    sorting    functions to the groups of configs/profile.toml
    listing    the functions one by one: the largest, or all as CSV
    tables     the report's tables
    waiting    work and waiting for locks, and both by CPU
    flame      the flame graphs
"""
