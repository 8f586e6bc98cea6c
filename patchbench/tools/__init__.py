# SPDX-License-Identifier: GPL-2.0-only
"""The outside world: processes, git, containers, QEMU, the terminal. Nothing else touches them."""
