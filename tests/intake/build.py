# SPDX-License-Identifier: GPL-2.0-only
"""Mails for tests, as plain data."""

from patchbench.intake import mails
from patchbench.intake.mails import Mail

DIFF = """\
diff --git a/mm/swapfile.c b/mm/swapfile.c
index 0cc2e13..a8ede32 100644
--- a/mm/swapfile.c
+++ b/mm/swapfile.c
@@ -1,3 +1,3 @@
 one
-two
+2
 three
"""


def text(
    subject: str,
    *,
    ident: str = "",
    to: str = "",
    body: str = f"Because.\n---\n{DIFF}",
    author: str = "Ann Author <ann@example.org>",
) -> bytes:
    head = [f"From: {author}", f"Subject: {subject}"]
    head += [f"Message-ID: <{ident}@example.org>"] if ident else []
    head += [f"In-Reply-To: <{to}@example.org>"] if to else []
    return ("\n".join(head) + f"\n\n{body}").encode()


def mail(subject: str, ident: str = "", to: str = "", body: str | None = None) -> Mail:
    if body is None:
        return mails.read(text(subject, ident=ident, to=to))
    return mails.read(text(subject, ident=ident, to=to, body=body))


def mbox(*raw: bytes) -> bytes:
    separator = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
    return b"\n".join(separator + one for one in raw)
