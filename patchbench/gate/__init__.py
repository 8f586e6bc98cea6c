# SPDX-License-Identifier: GPL-2.0-only
"""Pass or stop a revision, at a stated error rate; and measure what that gate is worth.

Doors: gating, calibrating, calibration, policy, verdicts, revisions

    gating       boots until every limit is decided, then checks hazards and rows
    policy       configs/gate.toml: the limits
    rules        one limit, one comparison, one of three answers
    verdicts     a verdict as text, JSON and JUnit
    revisions    which series of a branch are to be judged
    calibrating  boots equal and slowed-down kernels
    calibration  what these boots say: noise floor, false alarms, power
    alarms       which comparisons this gate and the rules in use would stop
"""
