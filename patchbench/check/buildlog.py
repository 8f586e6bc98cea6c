# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel build's log complains of: errors, undefined symbols, warnings. Pure.

The words are those of GCC, GNU ld and nm, modpost, sparse and the kernel's own kernel-doc check.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_PLACE = r"(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?"
_COMPILER = re.compile(
    rf"(?P<whole>{_PLACE}: (?P<sparse>sparse: )*(?:fatal )?(?P<kind>error|warning): (?P<text>.+))"
)
_KERNEL_DOC = re.compile(rf"(?P<kind>Warning|Error): {_PLACE} (?P<text>.+)")
_IN_FUNCTION = re.compile(r"(?:\S*ld: )?(?P<object>\S+?): in function [`'](?P<function>[^']+)':$")
_UNDEFINED = re.compile(
    r"(?:\S*ld: )?(?P<where>\S+?):\s?(?:\((?P<offset>[^)]*)\): )?"
    r"undefined reference to [`'](?P<symbol>[^']+)'$"
)
_TWICE = re.compile(
    r"(?:\S*ld: )?(?P<where>\S+?):\s?\([^)]*\): multiple definition of [`'](?P<symbol>[^']+)'; "
    r"(?P<first>\S+?):\([^)]*\): first defined here$"
)
_MODPOST = re.compile(r'ERROR: modpost: "(?P<symbol>\S+)" \[(?P<module>\S+)\] undefined!$')
#: What nm says: NAME | value | class | type | ...
_LISTED = re.compile(r"^(\S+) *\|[^|]*\| *U *\| *(?!<processor specific>)[^| ]", re.MULTILINE)
#: Before a command that was run after make, in a log.
RAN = "$ "
#: The line of another place that a text names: it moves as well.
_NUMBERED = re.compile(r"(?<=\.[chS]):\d+(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Message:
    """One warning or error without its line, so that moved code moves no message."""

    tool: str  # compiler, sparse or kernel-doc
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Undefined:
    """A symbol that nothing defines, and its users: (object or source, function), in order."""

    symbol: str
    users: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        where = (f"{function} ({place})" if function else place for place, function in self.users)
        return f"undefined reference to `{self.symbol}': {', '.join(where)}"


def errors(log: str) -> tuple[str, ...]:
    """Return what kept the build from ending well, each once: compile errors as `file:line: text`.

    Symbols that are undefined or there twice follow. Where none of these is told, make's own last
    words are.
    """
    compiled = [
        f"{relative(match['file'])}:{match['line']}: {match['text']}"
        for line in log.splitlines()
        if (match := _COMPILER.fullmatch(line)) and match["kind"] == "error" and not match["sparse"]
    ]
    twice = [
        f"multiple definition of `{match['symbol']}': {match['where']}, {match['first']}"
        for line in log.splitlines()
        if (match := _TWICE.fullmatch(line))
    ]
    told = [*dict.fromkeys(compiled), *map(str, undefined(log)), *dict.fromkeys(twice)]
    made = [line for line in log.splitlines() if re.match(r"make\S*: \*\*\* ", line)]
    return tuple(told or dict.fromkeys(made))


def undefined(log: str) -> tuple[Undefined, ...]:
    """Return the symbols that the linker or modpost missed, in the order of the log."""
    users: dict[str, dict[tuple[str, str], None]] = {}
    place = function = ""
    for line in log.splitlines():
        if match := _IN_FUNCTION.fullmatch(line):
            place, function = match["object"], match["function"]
        elif match := _UNDEFINED.fullmatch(line):
            # Only the first line of a function names its object; data has no function.
            code = function and "text" in (match["offset"] or "")
            user = (place, function) if code else (match["where"].split(":")[0], "")
            users.setdefault(match["symbol"], {})[user] = None
        elif match := _MODPOST.fullmatch(line):
            users.setdefault(match["symbol"], {})[(match["module"], "")] = None
        elif "ld: " not in line:
            function = ""
    return tuple(Undefined(symbol, tuple(those)) for symbol, those in users.items())


def listed(undefined: str) -> frozenset[str]:
    """Return the names that `nm --format=sysv` calls undefined.

    Without the weak ones, which may be, and sparc64's registers, which have a type of their own.
    """
    return frozenset(_LISTED.findall(undefined))


def about(log: str, symbols: Collection[str]) -> tuple[str, ...]:
    """Return the linker's lines that miss one of these symbols, or have any symbol twice.

    Each has its function's name above it.
    """
    lines: list[str] = []
    heading = ""
    for line in log.splitlines():
        if _IN_FUNCTION.fullmatch(line):
            heading = line
            continue
        match = _UNDEFINED.fullmatch(line)
        if (match and match["symbol"] in symbols) or _TWICE.fullmatch(line):
            lines += [heading, line] if heading else [line]
            heading = ""
    return tuple(lines)


def afterwards(log: str) -> tuple[str, ...]:
    """Return the commands that were run after make to learn more."""
    return tuple(line.removeprefix(RAN) for line in log.splitlines() if line.startswith(RAN))


def evidence(log: str) -> tuple[str, ...]:
    """Return the lines of a log that its errors are told in, as the tools wrote them."""
    wanted = (_IN_FUNCTION, _UNDEFINED, _TWICE, _MODPOST)
    return tuple(
        line.replace("/src/", "")
        for line in log.splitlines()
        if any(pattern.fullmatch(line) for pattern in wanted)
        or ((match := _COMPILER.fullmatch(line)) and match["kind"] == "error")
    )


def messages(log: str, files: Sequence[str]) -> tuple[Message, ...]:
    """Return the warnings and sparse's errors in these files, one for each place it is told of.

    A header's is told once for every file that includes it, and counts once.
    """
    places = dict.fromkeys(place for line in log.splitlines() for place in _message(line))
    return tuple(message for message, _ in places if message.file in files)


def new(ours: Sequence[Message], theirs: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages that are ours more often than theirs, each as many times as it is."""
    return tuple((Counter(ours) - Counter(theirs)).elements())


def _message(line: str) -> Iterator[tuple[Message, str]]:
    if match := _COMPILER.fullmatch(line):
        if match["kind"] == "warning" or match["sparse"]:
            tool = "sparse" if match["sparse"] else "compiler"
            text = _NUMBERED.sub("", match["text"])
            yield Message(tool, relative(match["file"]), text), match["line"]
    elif match := _KERNEL_DOC.fullmatch(line):
        yield Message("kernel-doc", relative(match["file"]), match["text"]), match["line"]


def relative(path: str) -> str:
    """Return a file's path in the kernel, which tools name from where they run."""
    return re.sub(r"^(?:/src/|\.\./)+", "", path)
