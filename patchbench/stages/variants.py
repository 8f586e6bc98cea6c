# SPDX-License-Identifier: GPL-2.0-only
"""Variants of a series: one text of its own replaced by another, as one more patch on top.

`v0+one-worker` is v0 with what patches/v0/variants.toml calls one-worker: another value for a
constant that the series has no way to set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import with_config

from patchbench.catalog import PLAIN_NAME, load_toml
from patchbench.errors import UnknownName
from patchbench.model import STRICT, Series, SeriesName, Tree
from patchbench.stages import planted, series
from patchbench.stages.planted import Plant

FILE = "variants.toml"


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class _Variants:
    variants: Mapping[str, Plant]


def find(root: Path, name: str) -> Plant:
    """Return what a variant, v0+one-worker, replaces; UnknownName lists the series' own."""
    asked = SeriesName.parse(name)
    path = root / "patches" / asked.stem / FILE
    known = load_toml(path, _Variants).variants if path.is_file() else {}
    variant = asked.variant or ""
    if variant not in known or not PLAIN_NAME.fullmatch(variant):
        raise UnknownName(f"variant of series {asked.unvaried()}", variant, [*known], path)
    return known[variant]


def make(root: Path, name: str, applied: Tree, work: Path) -> Series:
    """Return the variant of an applied series, with its patch written below `work`.

    Raises UnknownName as `find` does, BadInput unless the series has the text exactly once.
    """
    plant = find(root, name)
    on_top = replace(applied.source, commit=applied.commit)
    planted.write(plant, on_top, work, name, work / "scratch")
    (more,) = series.load(work, name, applied.source.line).patches
    return replace(applied.series, name=name, patches=(*applied.series.patches, more))
