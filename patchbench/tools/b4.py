# SPDX-License-Identifier: GPL-2.0-only
"""b4, which fetches a thread from lore by message-id. An extra: nothing else needs it."""

import shutil
from pathlib import Path

from patchbench.errors import ToolFailed
from patchbench.tools import process


def fetch(message_id: str, into: Path) -> Path:
    """Return the mbox of a thread; ToolFailed where b4 is not there or gets no answer."""
    if not shutil.which("b4"):
        raise ToolFailed(
            f"{message_id} has to be fetched, and b4 is not installed\n"
            "  `pip install b4`, or save the thread and give its file: --series thread.mbox"
        )
    try:
        process.run(["b4", "mbox", "--outdir", str(into), "--mbox-name", "thread.mbox", message_id])
    except ToolFailed as err:
        raise ToolFailed(
            f"b4 cannot fetch {message_id}; without a network, save the thread where there is one "
            f"and give its file: --series thread.mbox\n{err}"
        ) from err
    return into / "thread.mbox"
