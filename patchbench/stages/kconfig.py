# SPDX-License-Identifier: GPL-2.0-only
"""Asked against got: which configuration lines a kernel dropped, and why. Pure.

Kconfig files are read, never executed: they may come from an untrusted patch.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_ASKED = re.compile(r"(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set")
_TOKEN = re.compile(r'\$\([^)]*\)|"[^"]*"|&&|\|\||!=|<=|>=|[=!()<>]|[\w.\-/]+')


@dataclass(frozen=True, slots=True)
class Dropped:
    """A symbol that came out other than asked; "n" stands for not set."""

    symbol: str
    asked: str
    got: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One `config` stanza: its place, whether a user can set it, and all it depends on."""

    place: str
    prompt: bool
    conditions: tuple[str, ...]


def settings(text: str) -> dict[str, str]:
    """Return the symbols of a .config or a fragment with their values, without CONFIG_."""
    told = {}
    for line in text.splitlines():
        if match := _ASKED.match(line.strip()):
            set_name, value, unset_name = match.groups()
            told[(set_name or unset_name).removeprefix("CONFIG_")] = value or "n"
    return told


def dropped(asked: Mapping[str, str], got: Mapping[str, str]) -> tuple[Dropped, ...]:
    """Return every symbol whose value is not the one asked for."""
    return tuple(
        Dropped(symbol, value, got.get(symbol, "n"))
        for symbol, value in asked.items()
        if got.get(symbol, "n") != value
    )


def unknown(
    asked: Mapping[str, str],
    got: Mapping[str, str],
    read: Callable[[str], str | None],
    srcarch: str = "arm64",
) -> tuple[str, ...]:
    """Return the symbols that the kernel does not have: asked to be off, these look obeyed."""
    silent = {symbol for symbol in asked if symbol not in got}
    if not silent:
        return ()
    known = {name for name, _ in definitions(read, "Kconfig", srcarch)}
    return tuple(symbol for symbol in asked if symbol in silent - known)


def explain(
    symbol: str,
    got: Mapping[str, str],
    read: Callable[[str], str | None],
    srcarch: str = "arm64",
) -> str:
    """Return why a symbol is not what was asked, as far as its Kconfig stanzas tell.

    `read` gives a Kconfig file's text by its path in the kernel, or None if there is none.
    srcarch: the folder below arch/, which SRCARCH stands for in Kconfig files.
    """
    every = definitions(read, "Kconfig", srcarch)
    found = [definition for name, definition in every if name == symbol]
    if not found:
        return "no Kconfig file of this kernel defines it"
    told = []
    for definition in found:
        unmet = [text for text in definition.conditions if not holds(text, got)]
        if unmet:
            needs = "; ".join(f"{text} ({_values(text, got)})" for text in unmet)
            told.append(f"{definition.place} depends on {needs}")
        elif not definition.prompt:
            told.append(f"{definition.place} has no prompt: only another symbol's select sets it")
        else:
            told.append(
                f"{definition.place}: its dependencies hold; a choice, a range or a select decides"
            )
    return "\n    ".join(told)


def holds(expression: str, got: Mapping[str, str]) -> bool:
    """Return whether a `depends on` expression holds; macros such as $(cc-option) do."""
    value, rest = _either(_TOKEN.findall(expression), got)
    return value if not rest else True


def definitions(  # noqa: C901  # one case for each of Kconfig's words
    read: Callable[[str], str | None],
    path: str,
    srcarch: str,
    above: tuple[str, ...] = (),
) -> Iterator[tuple[str, Definition]]:
    """Walk Kconfig files from `path`, following `source`, and give every stanza's definition.

    `above` holds the conditions of the blocks around the file. A block's own `depends on`
    lines come before its entries, so one pass is enough.
    """
    text = read(path)
    if text is None:
        return
    blocks: list[list[str]] = [list(above)]
    stanza: tuple[str, str, list[str], list[bool]] | None = None

    for number, line in enumerate(_joined(text), start=1):
        word, _, rest = line.strip().partition(" ")
        rest = rest.split(" #")[0].strip()
        if word in {"config", "menuconfig", "if", "endif", "menu", "endmenu", "choice",
                    "endchoice", "source", "comment"}:  # fmt: skip
            if stanza:
                yield _definition(stanza, blocks)
            stanza = None
        match word:
            case "config" | "menuconfig":
                stanza = (rest, f"{path}:{number}", [], [])
            case "if":
                blocks.append([rest])
            case "menu" | "choice":
                blocks.append([])
            case "endif" | "endmenu" | "endchoice":
                blocks.pop()
            case "depends" if stanza or len(blocks) > 1:
                condition = " ".join(rest.removeprefix("on ").split())
                (stanza[2] if stanza else blocks[-1]).append(condition)
            case "source":
                inherited = tuple(condition for block in blocks for condition in block)
                yield from definitions(read, _sourced(rest, srcarch), srcarch, inherited)
            case "bool" | "tristate" | "string" | "int" | "hex" | "prompt" if stanza and rest:
                stanza[3].append(True)
    if stanza:
        yield _definition(stanza, blocks)


def _definition(
    stanza: tuple[str, str, list[str], list[bool]], blocks: list[list[str]]
) -> tuple[str, Definition]:
    name, place, own, prompts = stanza
    conditions = (*(condition for block in blocks for condition in block), *own)
    return name, Definition(place, any(prompts), conditions)


def _joined(text: str) -> Iterator[str]:
    """Give the lines with continuations put together, help texts blanked, numbers kept."""
    help_indent: int | None = None
    held = ""
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
            held += line.rstrip()[:-1] + " "
            yield ""
        else:
            yield held + line
            held = ""


def _sourced(path: str, srcarch: str) -> str:
    return re.sub(r"\$\(?(SRCARCH|HEADER_ARCH)\)?", srcarch, path.strip('"'))


def _values(expression: str, got: Mapping[str, str]) -> str:
    names = [token for token in _TOKEN.findall(expression) if re.fullmatch(r"[A-Z]\w*", token)]
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
