# SPDX-License-Identifier: GPL-2.0-only
"""Asked for against got: which configuration lines a kernel dropped, and why. Pure.

Kconfig files are read, never executed, and within bounds: they may come from an untrusted patch.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_ASKED = re.compile(r"(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set")
_TOKEN = re.compile(r'\$\([^)]*\)|"[^"]*"|&&|\|\||!=|<=|>=|[=!()<>]|[\w.\-/]+')

_ENTRIES = {
    *("config", "menuconfig", "if", "endif", "menu", "endmenu", "choice", "endchoice"),
    *("source", "comment"),
}
#: Several times what any kernel has: lines in all files, files and blocks within one another, what
#: one condition is made of.
_MOST_LINES = 500_000
_MOST_DEPTH = 40
_MOST_TOKENS = 200
_MOST_LETTERS = 4000


@dataclass(frozen=True, slots=True)
class Dropped:
    """A symbol whose value is not what was asked for; "n" stands for not set."""

    symbol: str
    asked: str
    got: str


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One `config` stanza: its place, whether a user can set it, and all it depends on."""

    place: str
    prompt: bool
    conditions: tuple[str, ...]


def settings(text: str) -> dict[str, str]:
    """Return the symbols of a .config or a fragment with their values, without CONFIG_."""
    values = {}
    for line in text.splitlines():
        if match := _ASKED.match(line.strip()):
            set_name, value, unset_name = match.groups()
            values[(set_name or unset_name).removeprefix("CONFIG_")] = value or "n"
    return values


def dropped(asked: Mapping[str, str], got: Mapping[str, str]) -> tuple[Dropped, ...]:
    """Return every symbol whose value is not the one asked for."""
    return tuple(
        Dropped(symbol, value, got.get(symbol, "n"))
        for symbol, value in asked.items()
        if got.get(symbol, "n") != value
    )


class Definitions:
    """Every `config` stanza of a kernel, read once: a kernel has thousands of Kconfig files.

    `read` gives a Kconfig file's text by its path in the kernel, or None if there is none.
    srcarch: the folder below arch/ that SRCARCH stands for in Kconfig files.
    """

    def __init__(self, read: Callable[[str], str | None], srcarch: str = "arm64") -> None:
        self._of: dict[str, list[ConfigEntry]] = {}
        self._endless = False
        try:
            for name, definition in _definitions(_Files(read, srcarch), "Kconfig", ()):
                self._of.setdefault(name, []).append(definition)
        except _EndlessError:
            self._endless = True

    def unknown(self, asked: Mapping[str, str], got: Mapping[str, str]) -> tuple[str, ...]:
        """Return the symbols that no file defines: asked to be off, they look as if they were."""
        return tuple(symbol for symbol in asked if symbol not in got and symbol not in self._of)

    def explain(self, symbol: str, got: Mapping[str, str]) -> str:
        """Return why a symbol is not what was asked for, as far as its stanzas say."""
        if symbol not in self._of:
            if self._endless:
                return "this kernel's Kconfig files source one another without end"
            return "no Kconfig file of this kernel defines it"
        return "\n    ".join(_reason(definition, got) for definition in self._of[symbol])


def _reason(definition: ConfigEntry, got: Mapping[str, str]) -> str:
    unmet = [text for text in definition.conditions if not holds(text, got)]
    if unmet:
        needs = "; ".join(f"{text} ({_values(text, got)})" for text in unmet)
        return f"{definition.place} depends on {needs}"
    if not definition.prompt:
        return f"{definition.place} has no prompt: only another symbol's select sets it"
    return f"{definition.place}: its dependencies hold; a choice, a range or a select decides"


def holds(expression: str, got: Mapping[str, str]) -> bool:
    """Return whether a `depends on` expression holds; macros such as $(cc-option) do.

    So does what cannot be read, or is longer than any that a kernel has.
    """
    tokens = _tokens(expression)
    value, rest = _either(tokens, got) if len(tokens) <= _MOST_TOKENS else (True, [])
    return value if not rest else True


class _EndlessError(Exception):
    """There are more lines, or more files or blocks within one another, than a kernel can have."""


class _Files:
    """Kconfig files as they are read, and how many lines that has been."""

    def __init__(self, read: Callable[[str], str | None], srcarch: str) -> None:
        self._read = read
        self._left_lines = _MOST_LINES
        self.srcarch = srcarch

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        text = self._read(path)
        for number, line in enumerate(_joined(text or ""), start=1):
            self._left_lines -= 1
            if self._left_lines < 0:
                raise _EndlessError
            yield number, line


def _definitions(  # noqa: C901  # one case for each of Kconfig's words
    files: _Files, path: str, above: tuple[str, ...], depth: int = 0
) -> Iterator[tuple[str, ConfigEntry]]:
    """Walk Kconfig files from `path`, following `source`, and give every stanza's definition.

    `above` holds the conditions of the blocks around the file. A block's own `depends on`
    lines come before its entries, so one pass is enough.
    """
    if depth > _MOST_DEPTH:
        raise _EndlessError
    blocks: list[list[str]] = [list(above)]
    stanza: tuple[str, str, list[str], list[bool]] | None = None

    for number, line in files.lines(path):
        word, _, rest = line.strip().partition(" ")
        rest = rest.split(" #")[0].strip()
        if word in _ENTRIES:
            if stanza:
                yield _definition(stanza, blocks)
            stanza = None
        match word:
            case "config" | "menuconfig":
                stanza = (rest, f"{path}:{number}", [], [])
            case "if" | "menu" | "choice":
                if len(blocks) > _MOST_DEPTH:
                    raise _EndlessError
                blocks.append([rest] if word == "if" else [])
            case "endif" | "endmenu" | "endchoice" if len(blocks) > 1:
                blocks.pop()
            case "depends" if stanza or len(blocks) > 1:
                condition = " ".join(rest.removeprefix("on ").split())
                (stanza[2] if stanza else blocks[-1]).append(condition)
            case "source":
                inherited = tuple(condition for block in blocks for condition in block)
                sourced = _sourced(rest, files.srcarch)
                yield from _definitions(files, sourced, inherited, depth + 1)
            case "bool" | "tristate" | "string" | "int" | "hex" | "prompt" if stanza and rest:
                stanza[3].append(True)
    if stanza:
        yield _definition(stanza, blocks)


def _definition(
    stanza: tuple[str, str, list[str], list[bool]], blocks: list[list[str]]
) -> tuple[str, ConfigEntry]:
    name, place, own, prompts = stanza
    conditions = (*(condition for block in blocks for condition in block), *own)
    return name, ConfigEntry(place, any(prompts), conditions)


def _joined(text: str) -> Iterator[str]:
    """Give the lines with continuations joined, help texts blanked, and numbers kept."""
    help_indent: int | None = None
    held: list[str] = []
    for line in text.expandtabs().splitlines():
        indent = len(line) - len(line.lstrip())
        if help_indent == -1 and line.strip():
            help_indent = indent
        if help_indent is not None and (not line.strip() or indent >= max(help_indent, 1)):
            yield ""
            continue
        help_indent = None
        if line.strip() in {"help", "---help---"}:
            help_indent = -1
            yield ""
        elif line.rstrip().endswith("\\"):
            held.append(line.rstrip()[:-1])
            yield ""
        else:
            yield " ".join([*held, line])
            held = []


def _sourced(path: str, srcarch: str) -> str:
    return re.sub(r"\$\(?(SRCARCH|HEADER_ARCH)\)?", srcarch, path.strip('"'))


def _tokens(expression: str) -> list[str]:
    return _TOKEN.findall(expression[:_MOST_LETTERS])


def _values(expression: str, got: Mapping[str, str]) -> str:
    names = [token for token in _tokens(expression) if re.fullmatch(r"[A-Z]\w*", token)]
    return ", ".join(f"{name}={got.get(name, 'n')}" for name in dict.fromkeys(names))


def _either(tokens: list[str], got: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _both(tokens, got)
    while rest and rest[0] == "||":
        right, rest = _both(rest[1:], got)
        value = value or right
    return value, rest


def _both(tokens: list[str], got: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _term(tokens, got)
    while rest and rest[0] == "&&":
        right, rest = _term(rest[1:], got)
        value = value and right
    return value, rest


def _term(tokens: list[str], got: Mapping[str, str]) -> tuple[bool, list[str]]:
    match tokens:
        case ["!", *rest]:
            value, rest = _term(rest, got)
            return not value, rest
        case ["(", *rest]:
            value, rest = _either(rest, got)
            return value, rest[1:]
        case [left, "=" | "!=" as operator, right, *rest]:
            equal = _value(left, got) == _value(right, got)
            return equal == (operator == "="), rest
        case [_, "<" | ">" | "<=" | ">=", _, *rest]:
            return True, rest
        case [symbol, *rest]:
            return _value(symbol, got) != "n", rest
        case _:
            return True, []


def _value(token: str, got: Mapping[str, str]) -> str:
    if token in {"y", "m", "n"} or token.startswith("$"):
        return "n" if token == "n" else "y"
    return token.strip('"') if token.startswith('"') else got.get(token, "n").strip('"')
