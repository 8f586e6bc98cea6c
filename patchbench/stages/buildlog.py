# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel build's log reports: errors, undefined symbols, warnings. Pure.

It reads the output of GCC, GNU ld and nm, modpost, sparse and the kernel's own kernel-doc check.
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
    r"(?:\S*ld: )?(?P<where>\S+?):\s?(?:\((?P<offset>[^()]*)\): )?"
    r"undefined reference to [`'](?P<symbol>[^']+)'$"
)
_TWICE = re.compile(
    r"(?:\S*ld: )?(?P<where>\S+?):\s?\([^()]*\): multiple definition of [`'](?P<symbol>[^']+)'; "
    r"(?P<first>\S+?):\([^()]*\): first defined here$"
)
#: As 6.12 words it, and as 7.3 does.
_MODPOST = re.compile(
    r'ERROR: modpost: (?:"(?P<symbol>\S+)" \[(?P<module>\S+)\]'
    r"|(?P<in>\S+): symbol '(?P<name>\S+)') undefined!"
)
#: Whatever else it refuses: a namespace that is not imported, a symbol that is exported twice.
_MODPOST_REFUSES = re.compile(r"ERROR: modpost: (?P<text>.+(?<! undefined!))")
#: A line of `nm --format=sysv`: NAME | value | class | type | ...
_LISTED = re.compile(r"^(\S+) *\|[^|]*\| *U *\| *(?!<processor specific>)[^| ]", re.MULTILINE)
#: Marks, in a log, a command that was run after make.
RAN = "$ "
#: A line number within a message's text, which moves with the code as well.
_NUMBERED = re.compile(r"(?<=\.[chS]):\d+(?::\d+)?")
_SPARSE_LOOKED = "  CHECK "
#: What 7.3 prints where scripts/checker-valid.sh rejects the sparse that it finds.
_SPARSE_REFUSED = "sparse is not available or not up to date"


@dataclass(frozen=True, slots=True)
class Message:
    """One warning or error without its line number, so that moving code changes no message."""

    tool: str  # compiler, sparse or kernel-doc
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Undefined:
    """A symbol that nothing defines, and its users: (object or source, function), in log order."""

    symbol: str
    users: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        where = (f"{function} ({place})" if function else place for place, function in self.users)
        return f"undefined reference to `{self.symbol}': {', '.join(where)}"


def errors(log: str) -> tuple[str, ...]:
    """Return what made the build fail, each once: compile errors as `file:line: text`.

    Then come symbols that are undefined or defined twice, and what modpost refuses. Where a log
    has none of these, make's own last words are returned.
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
    refused = [
        match["text"] for line in log.splitlines() if (match := _MODPOST_REFUSES.fullmatch(line))
    ]
    found = [*dict.fromkeys(compiled), *map(str, undefined(log)), *dict.fromkeys(twice)]
    found += dict.fromkeys(refused)
    by_make = [line for line in log.splitlines() if re.match(r"make\S*: \*\*\* ", line)]
    return tuple(found or dict.fromkeys(by_make))


def new_errors(log: str, base_log: str) -> tuple[str, ...]:
    """Return the errors of one log that the other does not have, wherever their lines moved to."""
    known = {_without_line(error) for error in errors(base_log)}
    return tuple(error for error in errors(log) if _without_line(error) not in known)


def undefined(log: str) -> tuple[Undefined, ...]:
    """Return the symbols that linker or modpost report as undefined, in the order of the log."""
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
            symbol, module = match["symbol"] or match["name"], match["module"] or match["in"]
            users.setdefault(symbol, {})[(module, "")] = None
        elif "ld: " not in line:
            function = ""
    return tuple(Undefined(symbol, tuple(those)) for symbol, those in users.items())


def listed(undefined: str) -> frozenset[str]:
    """Return the names that `nm --format=sysv` lists as undefined.

    Weak ones, which may stay undefined, are not among them, nor are sparc64's registers, which
    have a type of their own.
    """
    return frozenset(_LISTED.findall(undefined))


def link_errors(log: str, symbols: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the linker's lines on undefined symbols and on those that are defined twice.

    Each follows the line that names its function. symbols: only the undefined ones among these.
    """
    lines: list[str] = []
    heading = ""
    for line in log.splitlines():
        if _IN_FUNCTION.fullmatch(line):
            heading = line
            continue
        match = _UNDEFINED.fullmatch(line)
        wanted = match and (symbols is None or match["symbol"] in symbols)
        if wanted or _TWICE.fullmatch(line):
            lines += [heading, line] if heading else [line]
            heading = ""
    return tuple(lines)


def afterwards(log: str) -> tuple[str, ...]:
    """Return the commands that were run after make."""
    return tuple(line.removeprefix(RAN) for line in log.splitlines() if line.startswith(RAN))


def evidence(log: str) -> tuple[str, ...]:
    """Return the lines that report a log's errors, as the tools wrote them."""
    wanted = (_IN_FUNCTION, _UNDEFINED, _TWICE, _MODPOST, _MODPOST_REFUSES)
    return tuple(
        line.replace("/src/", "")
        for line in log.splitlines()
        if any(pattern.fullmatch(line) for pattern in wanted)
        or ((match := _COMPILER.fullmatch(line)) and match["kind"] == "error")
    )


def messages(log: str, files: Sequence[str]) -> tuple[Message, ...]:
    """Return the warnings and sparse's errors in these files, one for each place in the code.

    One in a header is printed for every file that includes it, and counts once.
    """
    places = dict.fromkeys(place for line in log.splitlines() for place in _message(line))
    return tuple(message for message, _ in places if message.file in files)


def new(ours: Sequence[Message], theirs: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages that we have more often than they do, each as often as that."""
    return tuple((Counter(ours) - Counter(theirs)).elements())


def checked(log: str) -> frozenset[str]:
    """Return the files that make ran sparse on."""
    looked = (line for line in log.splitlines() if line.startswith(_SPARSE_LOOKED))
    return frozenset(relative(line.split()[1]) for line in looked)


def refuses_sparse(log: str) -> bool:
    """Return whether the kernel's Makefile refused to run the sparse that it found."""
    return _SPARSE_REFUSED in log


def _message(line: str) -> Iterator[tuple[Message, str]]:
    if match := _COMPILER.fullmatch(line):
        if match["kind"] == "warning" or match["sparse"]:
            tool = "sparse" if match["sparse"] else "compiler"
            text = _NUMBERED.sub("", match["text"])
            yield Message(tool, relative(match["file"]), text), match["line"]
    elif match := _KERNEL_DOC.fullmatch(line):
        yield Message("kernel-doc", relative(match["file"]), match["text"]), match["line"]


def relative(path: str) -> str:
    """Return a file's path in the kernel; tools name it from the folder they run in."""
    return re.sub(r"^(?:/src/|\.\./)+", "", path)


def _without_line(error: str) -> str:
    return re.sub(r":\d+: ", ": ", error)
