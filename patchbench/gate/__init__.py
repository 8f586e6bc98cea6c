# SPDX-License-Identifier: GPL-2.0-only
"""Pass or stop a revision at a stated error rate, and measure what that gate is worth.

Doors: gating, request, calibrating, calibration, calibration_docs, limits, policy, verdicts,
revisions

    gating       judges one series against another, and writes the verdict down
    request      what to gate, and the command that asks for it again
    seeds        what a gate boots with, drawn by the tree that it judges
    trial        one gate under way: boots, hazards and rows, until something fails
    limits       what is judged by, and what is decided: Policy, Ruling, Verdict
    policy       configs/gate.toml, read and checked
    rules        one limit, one comparison, one of three answers
    waivers      configs/waivers.toml: limits that may be broken for a while
    blame        which functions rose where a limit is broken
    verdicts     a verdict as text, JSON and JUnit
    revisions    which series of a branch are to be judged
    calibrating  boots equal and slowed-down kernels
    calibration  what these boots say: noise floor, false alarms, power
    calibration_docs  keeps them in docs/, with their page and plots
    alarms       which comparisons this gate and the rules in use would stop
"""
