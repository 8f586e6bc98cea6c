# SPDX-License-Identifier: GPL-2.0-only
"""The verbs of `invoke`. What each does is in patchbench/verbs/."""

from invoke.collection import Collection

from patchbench.verbs import (
    coverage,
    intake,
    iterating,
    judging,
    kernels,
    measuring,
    reporting,
    studies,
    upkeep,
    working,
)

namespace = Collection(
    upkeep.list_,
    intake.intake,
    kernels.fetch,
    kernels.apply,
    kernels.range_diff,
    kernels.build,
    kernels.boot,
    measuring.bench,
    iterating.iterate,
    measuring.profile,
    coverage.coverage,
    reporting.report,
    reporting.compare,
    reporting.history,
    studies.study,
    judging.gate,
    judging.check,
    judging.calibrate,
    judging.publish,
    judging.verify,
    working.work,
    working.worker,
    working.cluster,
    upkeep.doctor,
    upkeep.clean,
    upkeep.test,
    upkeep.harden,
    upkeep.lint,
    Collection("dev", upkeep.timings, upkeep.repeat),
)
