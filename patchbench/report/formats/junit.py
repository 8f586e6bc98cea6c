# SPDX-License-Identifier: GPL-2.0-only
"""Boots and validity as JUnit XML, for the test pages of CI systems.

A measurement without a limit neither passes nor fails, so there is no case for one. A case is a
boot (an error if it was lost, a failure on a kernel splat) or the run's validity.
"""

import io
import re
from collections.abc import Iterable, Sequence

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from patchbench.errors import KernelSplat
from patchbench.model import Boot, Comparison, Plan
from patchbench.texts import printable

#: What XML 1.0 has no way to write, and the control characters that it allows.
#: What is printable, and no character of XML.
_NOT_XML = re.compile("[\ufffe\uffff]")


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return a suite for each arm on each machine, and one for the run's validity."""
    plan = comparison.plan
    document = JUnitXml(plan.run)
    for machine in plan.machines:
        for arm in (plan.base, plan.test):
            cases = [
                _boot(plan, boot)
                for boot in boots
                if (boot.machine, boot.series) == (machine.name, arm.series)
            ]
            document.add_testsuite(_suite(f"{machine.name} {arm.series}", cases))
    document.add_testsuite(_suite("validity", _validity(comparison)))
    document.update_statistics()  # type: ignore[no-untyped-call]
    text = io.BytesIO()
    document.write(text, pretty=True)
    return text.getvalue().decode().rstrip() + "\n"


def _suite(name: str, cases: Iterable[TestCase]) -> TestSuite:
    suite = TestSuite(name)
    suite.add_testcases([*cases])
    return suite


def _boot(plan: Plan, boot: Boot) -> TestCase:
    where = f"{plan.workload.name}.{boot.machine}.{boot.series}"
    case = TestCase(f"seed {boot.seed}", where)
    if boot.failure:
        kind = Failure if boot.failure_status == KernelSplat.exit_code else Error
        case.result = [_result(kind, "\n".join((boot.failure, *boot.splats)))]
    return case


def _validity(comparison: Comparison) -> Iterable[TestCase]:
    name = f"{comparison.plan.workload.name}.validity"
    if not comparison.invalid:
        yield TestCase("the run may be relied on", name)
    for reason in comparison.invalid:
        case = TestCase(_clean(reason), name)
        case.result = [_result(Failure, reason)]
        yield case


def _result(kind: type[Error | Failure], text: str) -> Error | Failure:
    clean = _clean(text)
    result = kind(clean.splitlines()[0])
    result.text = clean
    return result


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", printable(text))
