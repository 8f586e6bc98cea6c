# SPDX-License-Identifier: GPL-2.0-only
"""Answer a cover letter and its reviewers, statement by statement, from runs of their own.

Doors: studying, evidence, report, page, formats, publishing, folder, plan, readings

    loading     reads a plan, and looks up all that it names
    plan        configs/studies/*.toml: statements, and the cells that decide them
    rules       what a statement asks of a cell, as data
    studying    goes through the cells that are not done yet, as far as the budget goes
    running     runs each as an ordinary run; the boots of several wait in one queue
    folder      results/studies/STUDY: the logbook, the state of each leg
    upgrade     logbooks of earlier schemas
    readings    what the run of a leg says, as rules use it
    evidence    reads the runs into readings, and the whole into a Study
    instrument  could a leg have shown both outcomes of a rule; if not, it cannot tell
    estimates   the number that a rule is about, with its interval
    weigh       weighs rules by readings, and concludes
    looks       which legs get more seeds while their rules are open, and what that costs
    report      the headline, and the terminal's table
    tables      what the legs measured, below the statements
    designs     what they say of several series: tables with a row a design, a column a question
    drawing     an interval as SVG
    page        the study as HTML and Markdown
    formats     the formats of `report --format`
    publishing  keeps a study with all its runs, and weighs it again by a reworded plan

A cell is one measurement that the plan has, a leg that cell on one kernel and machine, a reading
what the leg's run says. A statement has rules; a rule has a leg and bounds; weighed, it has an
outcome, and all of them together make the conclusion.
"""
