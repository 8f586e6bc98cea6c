# SPDX-License-Identifier: GPL-2.0-only
"""The tables of a workload's C source, metrics and parameters, which nothing else repeats. Pure.

What workloads/harness.h calls `struct metric` and `struct parameter` is read as text, an entry
as the sources write it, with the names of constants and enums that a bound may be.
"""

import math
import re
from collections.abc import Mapping

from patchbench.errors import BadInput
from patchbench.model import Metric, Parameter

_METRIC = re.compile(r'\{ "(\w+)", "(\w+)", "(lower|higher)" \}')
_PARAMETER = re.compile(r'\{ "(\w+)", ([^,{}]+), &[\w().]+, ([^,{}]+), ([^,{}]+),')
_CONSTANT = re.compile(r"^#define[ \t]+(\w+)[ \t]+([^\n]+)$", re.MULTILINE)
_ENUM = re.compile(r"\benum\s+(?:\w+\s*)?\{([^{}=]*)\}")
#: No bound of any program comes near: names of names, letters of an expression, bits of a long.
_MOST_DEPTH = 20
_MOST_LETTERS = 200
_BITS = 64
_TOO_LARGE = 1 << _BITS
_KNOWN = {"INT32_MAX": str(2**31 - 1), "INT_MAX": str(2**31 - 1), "LONG_MAX": str(2**63 - 1)}


def metrics(source: str) -> dict[str, Metric]:
    """Return what a program measures, by name."""
    found = _METRIC.findall(source)
    return {name: Metric(name, unit, better) for name, unit, better in found}


def parameters(source: str) -> dict[str, Parameter]:
    """Return a program's parameters, by name; BadInput for a bound that is no number.

    source: of the program and of what it includes, one after the other.
    """
    source = _without_comments(source)
    names = {**_KNOWN, **dict(_CONSTANT.findall(source))}
    for body in _ENUM.findall(source):
        names |= {name: str(place) for place, name in enumerate(re.findall(r"\w+", body))}
    return {
        name: Parameter(name, *(_number(text, names) for text in bounds))
        for name, *bounds in _PARAMETER.findall(source)
    }


def _without_comments(source: str) -> str:
    """Return C without its comments, in one pass however many there are and whatever they lack."""
    kept, at = [], 0
    while (begin := source.find("/*", at)) >= 0:
        kept.append(source[at:begin])
        end = source.find("*/", begin + 2)
        at = end + 2 if end >= 0 else len(source)
    return "".join([*kept, source[at:]])


def _number(text: str, names: Mapping[str, str], depth: int = 0) -> int:
    """Return what a constant expression of C comes to: numbers, names, `<<` and `*`."""
    text = text.strip().removesuffix("LL").strip("() \t")
    if depth > _MOST_DEPTH or len(text) > _MOST_LETTERS:
        raise BadInput(f"a bound of a workload's parameter never becomes a number: {text[:40]!r}")
    if "<<" in text:
        number, bits = (_number(part, names, depth + 1) for part in text.split("<<", 1))
        return _in_range(number << bits if 0 <= bits < _BITS else _TOO_LARGE, text)
    if "*" in text:
        return _in_range(math.prod(_number(one, names, depth + 1) for one in text.split("*")), text)
    if text in names:
        return _number(names[text], names, depth + 1)
    try:
        return _in_range(int(text, 0), text)
    except ValueError as err:
        raise BadInput(f"a bound of a workload's parameter is {text!r}, and not a number") from err


def _in_range(number: int, text: str) -> int:
    if not -_TOO_LARGE < number < _TOO_LARGE:
        raise BadInput(f"a bound of a workload's parameter has more than {_BITS} bits: {text!r}")
    return number
