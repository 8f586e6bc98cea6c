# SPDX-License-Identifier: GPL-2.0-only
"""The verb intake: look at a series from anywhere, and keep it."""

from invoke.context import Context
from invoke.tasks import task

from patchbench.verbs.common import ROOT, exits, flags
from patchbench.verbs.needs import needs


@task(
    positional=["source"],
    help=flags("kernel", "tree")
    | {
        "source": "a file or folder of mails, -, BASE..TIP of --tree, or a message-id or lore link",
        "name": "keep it as patches/NAME/LINE, for the kernel's line",
        "revision": "which revision to take; default: the highest",
        "kernel": "the kernel to keep it for; default: the first that it applies to",
    },
)
@needs("engine")
def intake(
    _: Context, source: str, name: str = "", kernel: str = "", tree: str = "", revision: int = 0
) -> None:
    """Read the series in SOURCE, show which kernel it was made on, and keep it with --name."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        taken = taking.read(run, source, tree=tree, revision=revision or None)
        posting = taken.posting
        print(f"{posting.title}  v{posting.revision}  {posting.author}")
        for number, mail in enumerate(posting.patches, start=1):
            print(f"  {number}/{len(posting.patches)} {mail.subject.title}")
        for one in posting.aside:
            print(f"  put aside: {one.mail.subject.title}: {one.why}")
        tried = [] if kernel or tree else taking.trials(run, taken)
        headings = ("kernel", "version", "what the author saw", "outcome")
        print_table(headings, [one.row() for one in tried], words=5)
        if name:
            chosen = kernel or taking.choose(run, taken)
            print(taking.keep(run, taken, name, chosen, source=source))
