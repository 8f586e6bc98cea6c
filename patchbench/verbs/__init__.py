# SPDX-License-Identifier: GPL-2.0-only
"""The verbs: parse flags, call the pipeline, print, choose the exit status. No logic."""
