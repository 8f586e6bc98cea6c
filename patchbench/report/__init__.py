# SPDX-License-Identifier: GPL-2.0-only
"""What a run says, for people and for programs. Pure: a comparison in, text out.

Doors: report, formats, claims, samples, scaling

    report     stage 8: the tables, in Markdown and JSON
    sentences  the verdict in words
    page       the data of the HTML page
    plots      its plots
    scaling    its scaling curves
    samples    a run as flat rows
    claims     works out a text's marked numbers again
    formats/   one file a format
"""
