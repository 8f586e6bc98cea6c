# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbench.intake.subjects import Subject, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[PATCH] mm: do", Subject("mm: do", is_patch=True)),
        ("[PATCH 2/3] mm: do", Subject("mm: do", number=2, total=3, is_patch=True)),
        ("[PATCH v6,19/24] mm: do", Subject("mm: do", (), 6, 19, 24, is_patch=True)),
        ("[PATCH1/8] mm: do", Subject("mm: do", number=1, total=8, is_patch=True)),
        ("[PATCHv2 0/2] mm: do", Subject("mm: do", (), 2, 0, 2, is_patch=True)),
        ("[RFC PATCH v3 02/10] mm: do", Subject("mm: do", ("RFC",), 3, 2, 10, is_patch=True)),
        ("[RFC 1/2] mm: do", Subject("mm: do", ("RFC",), 1, 1, 2, is_patch=True)),
        ("[PATCH RESEND 1/1] x", Subject("x", ("RESEND",), 1, 1, 1, is_patch=True)),
        ("[PATCH mm-unstable v2] x", Subject("x", ("mm-unstable",), 2, is_patch=True)),
        ("[linux-mm] [PATCH 1/2] x", Subject("x", ("linux-mm",), 1, 1, 2, is_patch=True)),
        ("Re: [PATCH 1/2] x", Subject("x", (), 1, 1, 2, is_patch=True, is_reply=True)),
        ("AW: Re: [PATCH] x", Subject("x", is_patch=True, is_reply=True)),
        ("mm: do [not] this", Subject("mm: do [not] this")),
        ("[PATCH]  mm:\n folded", Subject("mm: folded", is_patch=True)),
    ],
)
def test_a_subject_is_taken_apart(text: str, expected: Subject) -> None:
    assert parse(text) == expected


def test_a_pull_request_is_no_patch() -> None:
    assert parse("[GIT PULL] mm updates for 7.4").is_pull


@given(st.text())
def test_any_text_has_parts(text: str) -> None:
    assert isinstance(parse(text), Subject)
