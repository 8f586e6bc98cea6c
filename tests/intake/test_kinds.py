# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of mails that people send, each as one change to a good one, taken onto a real kernel.

The right answer is what plain `git am -3` makes of the good one, or a refusal that says why.
"""

import base64
import quopri
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.errors import PipelineError
from patchbench.intake import taking
from patchbench.pipeline import Pipeline
from tests.fakes import Listener, git, small_repository

pytestmark = pytest.mark.slow

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small_repository(tmp_path_factory.mktemp("kinds") / "linux")
    source = path / "mm/swapfile.c"
    source.write_text("".join(f"int line{number};\n" for number in range(20)))
    git(path, "commit", "--all", "--message", "mm: some lines")
    git(path, "branch", "base")
    source.write_text(source.read_text().replace("line5;", "line5a;"))
    git(path, "commit", "--all", "--message", "mm: change a line\n\nBecause.")
    git(path, "branch", "good")
    git(path, "reset", "--hard", "base")
    return path


def take(kernel: Path, tmp_path: Path, mail: bytes) -> str:
    """Return the tree that the mail makes, or the status and the first words of the refusal."""
    (tmp_path / "checkout/patches").mkdir(parents=True)
    (tmp_path / "x.mbox").write_bytes(mail)
    try:
        with Pipeline(tmp_path / "checkout", tmp_path / "cache", Listener()) as run:
            name, _ = taking.take(run, str(tmp_path / "x.mbox"), tree=str(kernel))
            return run.apply(run.source("", str(kernel)), name).id
    except PipelineError as err:
        return f"{err.exit_code} {err}"


def good(kernel: Path) -> bytes:
    return (git(kernel, "format-patch", "-1", "--stdout", "good") + "\n").encode()


def body(mail: bytes, encode: Callable[[bytes], bytes], name: str) -> bytes:
    head, _, text = mail.partition(b"\n\n")
    head += f"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n{name}".encode()
    return head + b"\n\n" + encode(text)


def attached(mail: bytes) -> bytes:
    head, _, text = mail.partition(b"\n\n")
    message, cut, diff = text.partition(b"diff --git")
    return (
        head + b'\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="XX"\n\n--XX\n'
        b"Content-Type: text/plain\n\n" + message + b"\n--XX\nContent-Type: text/x-patch\n"
        b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(cut + diff) + b"--XX--\n"
    )


def replaced(old: bytes, new: bytes) -> Change:
    def change(mail: bytes) -> bytes:
        assert old in mail
        return mail.replace(old, new)

    return change


FROM = b"From: A Hacker <hacker@example.org>"
SAME: dict[str, Change] = {
    "as git writes it": lambda mail: mail,
    "base64": lambda mail: body(mail, base64.encodebytes, "Content-Transfer-Encoding: base64"),
    "quoted-printable": lambda mail: body(
        mail, quopri.encodestring, "Content-Transfer-Encoding: quoted-printable"
    ),
    "attachment": attached,
    "saved with CRLF": lambda mail: mail.replace(b"\n", b"\r\n"),
    "byte order mark": lambda mail: b"\xef\xbb\xbf" + mail,
    "leading blank lines": lambda mail: b"\n\n" + mail,
    "no From line": lambda mail: mail.partition(b"\n")[2],
    "no signature": lambda mail: mail.rpartition(b"-- \n")[0],
    "no index line": lambda mail: b"".join(
        line for line in mail.splitlines(True) if not line.startswith(b"index ")
    ),
    "open quote in From": replaced(FROM, b'From: "Ann <ann@example.org>'),
    "dots in From": replaced(FROM, b"From: A. U. Thor. <ann@example.org>"),
    "group in From": replaced(FROM, b"From: Ann: mm <ann@example.org>"),
    "a Reviewed-by": replaced(b"Because.\n", b"Because.\n\nReviewed-by: R <r@example.org>\n"),
    "RFC and a branch's name": replaced(b"[PATCH]", b"[RFC PATCH mm-unstable v3]"),
    "number glued on": replaced(b"[PATCH]", b"[PATCH1/1]"),
    "From in the message": replaced(b"Because.\n", b"Because.\nFrom here on it is slow.\n"),
}
REFUSED: dict[str, tuple[Change, str]] = {
    "From without an address": (replaced(FROM, b"From: Ann"), "20 lacks From: with an address"),
    "From cut off": (replaced(FROM, b"From: Ann <"), "20 lacks From: with an address"),
    "a charset that is none": (
        replaced(FROM, b"From: =?x-nonsense?q?Ann?= <ann@example.org>"),
        "20 is damaged",
    ),
    "a date that is none": (lambda mail: _date(mail), "20 is damaged"),
    "truncated": (lambda mail: mail[: mail.index(b"+int line5a")], "20 is damaged"),
    "context that is not there": (replaced(b" int line6;", b" int lineX;"), "21 does not apply"),
    "leaves the tree": (replaced(b"mm/swapfile.c", b"../../etc/x.c"), "20 is damaged"),
    "git's own folder": (replaced(b"mm/swapfile.c", b".git/config"), "20 is damaged"),
    "direction override": (replaced(b"line5a", "line5\u202ea".encode()), "20 holds U+202E"),
    "escape in a name": (replaced(b"mm/swapfile.c", b"mm/\x1b[2Jx.c"), "20 U+001B"),
    "a part of ten": (replaced(b"[PATCH]", b"[PATCH RFC v3 02/10]"), "20 lacks parts 1/10"),
    "empty": (lambda _: b"", "20 holds no mail"),
    "UTF-16": (lambda mail: mail.decode().encode("utf-16"), "20 holds no patch"),
    "needs another": (
        replaced(b"-- \n", b"prerequisite-patch-id: 0123\n-- \n"),
        "20 prerequisite-patch-id: 0123",
    ),
}


def _date(mail: bytes) -> bytes:
    return b"\n".join(
        b"Date: yesterday" if line.startswith(b"Date: ") else line for line in mail.split(b"\n")
    )


@pytest.mark.parametrize("kind", SAME)
def test_a_mail_of_this_kind_is_the_good_one(kernel: Path, tmp_path: Path, kind: str) -> None:
    tree = take(kernel, tmp_path, SAME[kind](good(kernel)))
    assert tree == git(kernel, "rev-parse", "good^{tree}")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_mail_of_this_kind_is_refused_and_says_why(
    kernel: Path, tmp_path: Path, kind: str
) -> None:
    change, expected = REFUSED[kind]
    status, _, words = expected.partition(" ")
    answer = take(kernel, tmp_path, change(good(kernel)))
    assert answer.startswith(status)
    assert words in answer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_CONFIG_PARAMETERS", "'apply.whitespace=fix'"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_TEMPLATE_DIR", "/nonexistent"),
        ("GIT_DEFAULT_HASH", "sha256"),
        ("GIT_QUARANTINE_PATH", "/nonexistent"),
    ],
)
def test_the_callers_environment_decides_no_tree(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    # Before 033159fa5573: a caller's GIT_CONFIG_ variables changed the tree.
    mail = good(kernel).replace(b"+int line5a;", b"+int line5a; ")
    plain = take(kernel, tmp_path / "plain", mail)
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "apply.whitespace")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "fix")
    assert take(kernel, tmp_path / "set", mail) == plain
