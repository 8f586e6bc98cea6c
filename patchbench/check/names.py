# SPDX-License-Identifier: GPL-2.0-only
"""Which of the names that a build leaves undefined the series is to blame for.

A part of a kernel, linked by itself, leaves nearly everything undefined. A name that only the
preprocessor puts together is in no source, and is not seen here: the whole rows find it.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from patchbench.check.partial import folders
from patchbench.model import Source
from patchbench.tools.git import Repository

#: Where a kernel's build finds names, and where it finds their definitions.
_SOURCES = ("*.[chS]", "*.rs")
_DEFINING = ("*.[cS]", "*.rs", "*.lds.h")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Names:
    """The words in one kernel's sources, unpatched and patched; each is looked up once."""

    def __init__(self, source: Source, files: Sequence[str]) -> None:
        """Take the kernel and the files that any of the series touches."""
        self._source = source
        self._repository = Repository(source.repository)
        self._files = files
        self._uses: dict[str, Mapping[str, Counter[str]]] = {}  # by commit
        self._found: dict[tuple[str, tuple[str, ...], str], bool] = {}  # by commit, paths, name

    def missing(self, commit: str, undefined: Collection[str]) -> frozenset[str]:
        """Return which of the names that a part leaves undefined the kernel lacks as well.

        They are those whose use the commit changes, and that no file of the kernel outside the
        part could define.
        """
        ours, theirs = self._used(commit), self._used(self._source.commit)
        changed = {name for name in undefined if ours.get(name) != theirs.get(name)}
        within = (f":(exclude,glob){folder}/*.c" for folder in folders(self._files))
        return self._absent(self._source.commit, changed, (*_DEFINING, *within))

    def new(self, commit: str, base: str, undefined: Collection[str]) -> frozenset[str]:
        """Return which of the names a commit's files have and no source of `base` does."""
        # The files first: a search of all sources for hundreds of names takes a minute.
        added = {*self._used(commit)} - {*self._used(base)}
        return self._absent(base, added.intersection(undefined), _SOURCES)

    def _absent(
        self, commit: str, names: Collection[str], paths: tuple[str, ...]
    ) -> frozenset[str]:
        unsought = {name for name in names if (commit, paths, name) not in self._found}
        found = self._repository.words(commit, unsought, paths)
        self._found.update({(commit, paths, name): name in found for name in unsought})
        return frozenset(name for name in names if not self._found[commit, paths, name])

    def _used(self, commit: str) -> Mapping[str, Counter[str]]:
        """Return how often each word is in each of the files, at a commit."""
        if commit not in self._uses:
            uses: dict[str, Counter[str]] = {}
            for file in self._files:
                if self._repository.has(commit, file):
                    for word in _WORD.findall(self._repository.show(f"{commit}:{file}")):
                        uses.setdefault(word, Counter())[file] += 1
            self._uses[commit] = uses
        return self._uses[commit]
