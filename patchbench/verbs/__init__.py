# SPDX-License-Identifier: GPL-2.0-only
"""The verbs: parse flags, call the pipeline, print, choose the exit status. No logic.

A verb imports what it calls when it is called: `invoke --list` waits for no other verb's numpy.
"""
