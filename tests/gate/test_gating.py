# SPDX-License-Identifier: GPL-2.0-only
"""What a gate says besides its rulings."""

from pathlib import Path

import pytest

from patchbench.gate import gating
from patchbench.gate.limits import Limit, Policy
from patchbench.gate.request import GateRequest
from patchbench.noise import Conditions, Floors
from tests.fakes import plan


def test_a_limit_within_the_measured_noise_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pct = {"exit_ns": {8: 1.054}, "cpu_ns": {8: 0.25}}
    conditions = Conditions("mainline", "bench", "exit-storm", {}, "exact", {}, "a guest")
    floors = {"exact": Floors(conditions, pct)}
    monkeypatch.setattr("patchbench.noise.floors", lambda *_: floors)
    limits = [
        Limit("exit-storm", "exact", name, "lower", max_regression_pct=1.0)
        for name in ("exit_ns", "cpu_ns", "drain_ns")
    ]
    (warning,) = gating._within_noise(
        Path(), Policy(0.05, (8,), tuple(limits)), {"exit-storm": plan()}
    )
    assert warning.startswith("the limit of 1 % for exit_ns on exact lies within the A/A noise")


def test_the_command_repeats_what_was_asked() -> None:
    request = GateRequest(
        "v1", "v0", "lts", policy=Path("mine.toml"), seeds=7, flavour="big", everything=True
    )
    assert request.command() == (
        "./bootstrap gate --series v1 --against v0 --kernel lts --flavour big --policy mine.toml "
        "--seeds 7 --all"
    )
