# SPDX-License-Identifier: GPL-2.0-only
"""The initrd's format."""

import stat

from patchbench.stages.guest import CpioEntry, cpio

INIT = CpioEntry("init", stat.S_IFREG | 0o755, b"#!/bin/sh\n")


def test_the_archive_is_the_same_bytes_for_the_same_entries() -> None:
    assert cpio([INIT]) == cpio([INIT])


def test_every_member_begins_on_four_bytes_and_the_trailer_comes_last() -> None:
    archive = cpio([INIT, CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))])
    starts = [place for place in range(len(archive)) if archive.startswith(b"070701", place)]
    assert len(starts) == 3
    assert all(place % 4 == 0 for place in starts)
    assert b"TRAILER!!!" in archive[starts[-1] :]


def test_a_header_states_mode_size_and_device() -> None:
    header = cpio([CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))])[:110]
    fields = [int(header[place : place + 8], 16) for place in range(6, 110, 8)]
    assert fields[1] == stat.S_IFCHR | 0o600
    assert fields[6] == 0
    assert fields[9:11] == [5, 1]
    assert fields[11] == len("dev/console") + 1
