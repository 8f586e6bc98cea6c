# SPDX-License-Identifier: GPL-2.0-only
"""The tables of a workload's C source, which nothing else has to repeat: metrics, parameters. Pure.

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
_CONSTANT = re.compile(r"^#define[ \t]+(\w+)[ \t]+([^\n]+?)[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ENUM = re.compile(r"\benum\s+\w*\s*\{([^}=]*)\}")
_KNOWN = {"INT32_MAX": str(2**31 - 1), "INT_MAX": str(2**31 - 1), "LONG_MAX": str(2**63 - 1)}


def metrics(source: str) -> dict[str, Metric]:
    """Return what a program measures, by name."""
    found = _METRIC.findall(source)
    return {name: Metric(name, unit, better) for name, unit, better in found}


def parameters(source: str) -> dict[str, Parameter]:
    """Return what a program can be told, by name; BadInput for a bound that is no number.

    source: of the program and of what it includes, one after the other.
    """
    source = _COMMENT.sub("", source)
    names = {**_KNOWN, **dict(_CONSTANT.findall(source))}
    for body in _ENUM.findall(source):
        names |= {name: str(place) for place, name in enumerate(re.findall(r"\w+", body))}
    return {
        name: Parameter(name, *(_number(text, names) for text in told))
        for name, *told in _PARAMETER.findall(source)
    }


def _number(text: str, names: Mapping[str, str]) -> int:
    """Return what a constant expression of C comes to: numbers, names, `<<` and `*`."""
    text = text.strip().removesuffix("LL").strip("()")
    if "<<" in text:
        number, _, bits = text.partition("<<")
        return _number(number, names) << _number(bits, names)
    if "*" in text:
        return math.prod(_number(factor, names) for factor in text.split("*"))
    if text in names:
        return _number(names[text], names)
    try:
        return int(text, 0)
    except ValueError as err:
        raise BadInput(f"a bound of a workload's parameter is {text!r}, and not a number") from err
