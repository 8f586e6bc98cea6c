# SPDX-License-Identifier: GPL-2.0-only
"""The user's cache as a whole: what it holds, what of it is sound, and what can go.

Doors: parts, mending

- parts: what it holds, by kind, with sizes; eviction of what was used least recently
- mending: whether all of it is what it was when it was put there; what is not is removed
"""
