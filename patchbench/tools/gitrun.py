# SPDX-License-Identifier: GPL-2.0-only
"""How git is run: by no configuration, environment or attribute but ours, and never longer than us.

A repository's configuration names programs that git runs (core.fsmonitor, hooks, filters, ssh
commands, credential helpers), and `--tree` brings a repository of anybody's. The environment and
the user's own settings decide trees as well (apply.whitespace, core.autocrlf), and nothing of
what is measured may depend on them.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from patchbench.errors import ToolFailed
from patchbench.tools import process

# Or importing GitPython fails where git is missing, before anybody can say so.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git
from git.exc import GitCommandNotFound

#: Who commits; fixed, so that the same tree and patches give the same commits everywhere.
WHO = "patchbench <patchbench@localhost>"
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "patchbench",
    "GIT_AUTHOR_EMAIL": "patchbench@localhost",
    "GIT_COMMITTER_NAME": "patchbench",
    "GIT_COMMITTER_EMAIL": "patchbench@localhost",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_EDITOR": "true",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
}
#: What no repository and no user may set, for every git that we run.
_SETTINGS = {
    # programs
    "core.alternateRefsCommand": "false",
    "core.editor": "true",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "sequence.editor": "true",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    # files
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "init.templateDir": "",
    # bytes
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.fileMode": "true",
    "core.symlinks": "true",
    # a cache or a checkout may be another user's; nothing of what it configures is obeyed
    "safe.directory": "*",
}
#: For all but fetching from another host, which needs the user's proxy, keys and credentials.
_LOCAL_SETTINGS = {
    "core.askPass": "false",
    "core.gitProxy": "false",
    "core.sshCommand": "false",
    "credential.helper": "",
    "commit.gpgSign": "false",
}
_NO_USER = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
}
#: Which of the caller's variables fetching from another host may see; git itself sets others for
#: its hooks and for `git -c`, and they would lead into the caller's repository or decide a tree.
_FETCHING = re.compile(
    r"GIT_(SSH(_COMMAND|_VARIANT)?|SSL_\w+|PROXY_SSL_\w+|HTTP_\w+|ASKPASS|CONFIG_(GLOBAL|SYSTEM)"
    r"|CONFIG_NOSYSTEM|PYTHON_\w+)"
)
_LOCAL = re.compile(r"GIT_PYTHON_\w+")
#: What may be fetched over; a configuration cannot add to it.
_REMOTE_PROTOCOLS = "git:http:https:ssh"
_MISSING = 127
#: What git says of an object, a pack or a ref that the disk did not keep.
_DAMAGED = re.compile(r"corrupt|inflate: |bad object|hash mismatch|unable to unpack|bad signature")


def run(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: BinaryIO | None = None,
    timeout_s: float | None = None,
    good: tuple[int, ...] = (0,),
) -> str:
    """Return what git prints in a folder; ToolFailed if its status is not a good one."""
    ours = {**_environment(local=True), **(environment or {})}
    try:
        status, out, err = _git(folder, ours).execute(
            _argv(arguments, ours, local=True),
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=True,
            istream=stdin,
            kill_after_timeout=timeout_s,
            pass_fds=process.held(),
        )
    except GitCommandNotFound as error:
        raise _missing(folder) from error
    if status == _MISSING:
        raise _missing(folder)
    if status not in good:
        printed = f"{out}\n{err}".strip()
        remedy = "\n  `./bootstrap doctor --cache` mends the cache" if _DAMAGED.search(err) else ""
        raise ToolFailed(f"`git {' '.join(arguments)}` in {folder}:\n{printed}{remedy}")
    return str(out)


def stream(folder: Path, *arguments: str, remote: bool = False) -> Any:
    """Return GitPython's handle on a running git, which ends git when it is collected.

    remote: it may use the network, and what the user has set up for it.
    """
    ours = _environment(local=not remote)
    try:
        return _git(folder, ours).execute(
            _argv(arguments, ours, local=not remote),
            as_process=True,
            istream=subprocess.PIPE,
            # What a fetch may leave running, a credential cache, must not hold what we hold.
            pass_fds=() if remote else process.held(),
        )
    except GitCommandNotFound as error:
        raise _missing(folder) from error


def _git(folder: Path, environment: Mapping[str, str]) -> git.cmd.Git:
    if not folder.is_dir():  # GitPython would run in the caller's folder instead
        raise ToolFailed(f"the git folder {folder} is gone")
    command = git.cmd.Git(str(folder))
    command.update_environment(**environment)
    return command


def _environment(*, local: bool) -> dict[str, str]:
    """Return the environment that git gets: settings as variables, which win over any file."""
    settings = [*{**_SETTINGS, **(_LOCAL_SETTINGS if local else {})}.items()]
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    protocols = "file" if local else _REMOTE_PROTOCOLS
    return {
        **_ENVIRONMENT,
        **variables,
        **(_NO_USER if local else {}),
        "GIT_ALLOW_PROTOCOL": protocols,
    }


def _argv(arguments: tuple[str, ...], ours: Mapping[str, str], *, local: bool) -> list[str]:
    """Return git's command line, without the caller's variables, and ended when we are killed."""
    kept = _LOCAL if local else _FETCHING
    forget = [
        word
        for name in sorted(os.environ)
        if name.startswith("GIT_") and name not in ours and not kept.fullmatch(name)
        for word in ("-u", name)
    ]
    return [*_dying_with_us(), *(["env", *forget] if forget else []), "git", *arguments]


def _dying_with_us() -> list[str]:
    """Return what makes Linux end a program whose parent is gone, killed or not."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def _missing(folder: Path) -> ToolFailed:
    return ToolFailed(f"git is not installed, or {folder} is gone; `./bootstrap doctor` says how")
