# SPDX-License-Identifier: GPL-2.0-only
"""The outside world: processes, git, containers, QEMU, the terminal. Nothing else touches them.

Doors: all

    process    the few programs of the host
    signing    signatures by an SSH key
    gitrun     git, run by no configuration but ours
    git        repositories of our own
    foreign    somebody else's repository, read
    gitmail    a mail as git reads it
    b4         a thread from lore
    b4prep     the cover letter that `b4 prep` keeps as a commit
    engines    which container engine there is
    container  containers, on any of them
    seccomp    the system calls that they may make
    output     what one prints, within bounds
    files      what one made, within bounds
    disk       watches what one writes
    qemu       boots an image, in a container
    debian     kernel sources from Debian's archive
    download   files from a URL
    host       what the host is, and how busy
    slots      who may boot on it now
    cluster    other hosts
    terminal   progress and tables
"""
