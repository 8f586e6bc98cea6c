# SPDX-License-Identifier: GPL-2.0-only
"""Answer a cover letter and its reviewers, statement by statement, from runs of their own.

Doors: studying, evidence, report, page, publishing, folder, plan

    plan        configs/studies/*.toml: statements, rules, and the cells they are judged by
    studying    runs the cells that are not done yet, as ordinary runs
    folder      results/studies/STUDY: what became of each cell
    evidence    reads the runs again
    rules       weighs statements by them
    report      the study as tables
    page        the study as HTML
    publishing  keeps a study with all its runs
"""
