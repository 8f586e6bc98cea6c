# SPDX-License-Identifier: GPL-2.0-only
"""Build kernels with and without a patch series, boot them, and say what the series does."""
