# SPDX-License-Identifier: GPL-2.0-only
"""What holds for every test."""

from hypothesis import settings

# Its deadline for one example is of wall time, which a loaded host stretches at will.
settings.register_profile("any host", deadline=None)
settings.load_profile("any host")
