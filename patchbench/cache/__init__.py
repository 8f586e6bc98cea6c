# SPDX-License-Identifier: GPL-2.0-only
"""The user's cache as a whole: what it holds, what of it is sound, and what can go.

Doors: parts, mending, sharing

- parts: what it holds, by kind, with sizes; eviction of what was used least recently
- sharing: several runs on it: one makes, the others boot
- mending: whether all of it is what it was when it was put there; what is not is removed
"""
