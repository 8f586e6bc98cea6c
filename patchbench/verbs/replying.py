# SPDX-License-Identifier: GPL-2.0-only
"""What `report` gives back to the mails of a series: an answer, or a check for b4's review."""

from __future__ import annotations

import sys
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.verbs.common import ROOT


def reply(run: Path, thread: str, cc: str) -> None:
    """Write the answer to a thread beside the run's report, and print how to send it."""
    from patchbench.intake import threads
    from patchbench.report import reply as replies
    from patchbench.runs import reading

    if not thread:
        raise BadInput("--format reply answers a thread: give its mails with --thread FILE")
    answered = threads.answered(threads.read(thread, sys.stdin.buffer.read), thread)
    comparison, boots = reading.read(ROOT, run)
    if not replies.is_news(comparison) and not cc:
        print("nothing changed, which no list asked for; --cc LIST writes the answer all the same")
        return
    out = ROOT / "results/reports" / run.name / "reply.eml"
    out.parent.mkdir(parents=True, exist_ok=True)
    addresses = [one.strip() for one in cc.split(",") if one.strip()]
    out.write_bytes(replies.render(comparison, boots, answered, cc=addresses))
    print(out)
    print(f"not sent; this sends it: {replies.send_email(str(out), answered)}")


def check(thread: str) -> None:
    """Print what b4's review-series-check-cmd reads, of the newest run of the thread's series."""
    from patchbench.intake import threads
    from patchbench.report.formats import b4
    from patchbench.runs import archive, reading

    mails = threads.read(thread, sys.stdin.buffer.read)
    ids = [mail.message_id for mail in mails if mail.message_id]
    run = archive.measured(ROOT / "results", ids)
    if run is None:
        sys.stdout.write(b4.unmeasured(", ".join(ids) or "a mail without a Message-ID"))
    else:
        sys.stdout.write(b4.render(*reading.read(ROOT, run)))
