# SPDX-License-Identifier: GPL-2.0-only
"""`python -m patchbench.verbs VERB [FLAGS]` prints what must be set up for it, one a line."""

import sys

import tasks
from patchbench.verbs.needs import needed

for need in needed(tasks.namespace, sys.argv[1:]):
    print(need)
