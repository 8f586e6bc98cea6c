# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.work scheduler ADDRESS` and `python -m tests.work worker ADDRESS NAME CORES`."""

import ctypes
import signal
import sys

from patchbench.tools import cluster

_PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody outlives the tests

match sys.argv[1:]:
    case ["scheduler", address]:
        cluster.serve_scheduler(address, lambda told: print(told, flush=True))  # noqa: T201
    case ["worker", address, name, cores]:
        offers = {"slot": int(cores), "whole_host": 1}
        cluster.serve_worker(
            address, name, "tests.work.preload", threads=int(cores) + 2, resources=offers
        )
    case _:
        raise SystemExit(__doc__)
