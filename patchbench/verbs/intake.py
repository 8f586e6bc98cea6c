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
        "revision": "which revision to take; the highest if left out",
        "kernel": "the kernel to keep it for; the one nearest to what the author saw if left out",
    },
)
@needs("engine")
def intake(
    _: Context, source: str, name: str = "", kernel: str = "", tree: str = "", revision: int = 0
) -> None:
    """Read the series in SOURCE, show which kernel it was made on, and keep it with --name."""
    from patchbench import pipeline
    from patchbench.intake import bases, taking
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        taken = taking.read(run, source, tree=tree, revision=revision or None)
        posting = taken.posting
        print(f"{posting.title}  v{posting.revision}  {posting.author}")
        for number, mail in enumerate(posting.patches, start=1):
            print(f"  {number}/{len(posting.patches)} {mail.subject.title}")
        for one in posting.aside:
            print(f"  put aside: {one.mail.subject.title}: {one.why}")
        scores = taking.scores(run, posting)
        print_table(("kernel", "version", "what the author saw"), [one.row() for one in scores])
        if name:
            chosen = kernel or bases.best(scores).kernel
            print(taking.keep(run, taken, name, chosen, source=source))
