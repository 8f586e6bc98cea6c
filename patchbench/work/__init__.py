# SPDX-License-Identifier: GPL-2.0-only
"""Boots as jobs, which any host can carry out: by `work`, or asked by a run on another host.

Doors: working, hosts, serving, worker

    jobs      a job and what it delivers, as data
    working   carries out a job on this host, and keeps what it left
    worker    the same, asked over a scheduler
    hosts     the pool of other hosts: who may be used, who boots what, what came of it
    serving   makes this host a worker, or starts a scheduler and workers on hosts.toml

One worker a host is enough: it takes as many boots as there are cores. What a host may do at once
is kept by its locks (tools/slots.py), whoever asks.
"""
