# SPDX-License-Identifier: GPL-2.0-only
"""What a run says, for people and for programs. Pure: a comparison in, text out.

Doors: tables, arms, reply, numbers, nevers, formats, claims, samples, scaling

    numbers    how a number is printed
    nevers     how often a clock did not stop, and how soon in the other boots
    tables     stage 8: the table, in Markdown and JSON
    arms       a run of several series: a column each
    sentences  the results in words
    page       the data of the HTML page
    plots      its plots, drawn on
    canvas     matplotlib's figures, as inline SVG
    scaling    its scaling curves
    cpus       its times by CPUs
    samples    a run as flat rows
    claims     checks the marked numbers of a text
    reply      an answer to the mails of a series
    formats/   one file per format

What a metric is called, and how it is plotted, is in workloads/metrics/NAME.toml.
"""
