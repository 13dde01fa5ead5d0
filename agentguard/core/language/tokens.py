"""Conditions as words: cuts a text into tokens, or says what cannot be one and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from agentguard.core.money import MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS
from agentguard.errors import LanguageError

MAX_CHARACTERS = 4_096

KEYWORDS = frozenset({"and", "or", "not", "in", "yes", "no", "true", "false"})
"""Words that cannot be names."""

Kind: TypeAlias = Literal["number", "text", "word", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a condition: `value` is a number or text for literals, else what was written."""

    kind: Kind
    value: str | int | Decimal
    start: int
    end: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<symbol>==|!=|<=|>=|&&|\|\||[<>!+\-*()\[\].,])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}

_INSTEAD = (
    ("===", "`===` is not an operator; write `==`"),
    ("=>", "`=>` is not an operator; write `>=` for at least"),
    ("=<", "`=<` is not an operator; write `<=` for at most"),
    ("=", "a single `=` is not a comparison; write `==`"),
    ("&", "a single `&` is not an operator; write `and`"),
    ("|", "a single `|` is not an operator; write `or`"),
    ("?", "there is no `? :`; write two rules, or `(a and b) or (not a and c)`"),
    ("//", "there is no division; write `percent(x, n)` for a share, or multiply the other side"),
    ("/", "there is no division; write `percent(x, n)` for a share, or multiply the other side"),
    ("%", "there is no `%`; write `percent(x, 10)` for ten percent of x"),
    ("$", "a currency sign is not part of a number; write the number alone, or `usd(50)`"),
    ("€", "a currency sign is not part of a number; write the number alone, or `eur(50)`"),
    ("£", "a currency sign is not part of a number; write the number alone, or `gbp(50)`"),
    ("{", "braces have no meaning in a condition; a name stands as it is, like `amount`"),
    ("}", "braces have no meaning in a condition; a name stands as it is, like `amount`"),
    (";", "a condition is one expression; write `and` between parts, or a list of conditions"),
    (":", "`:` has no meaning in a condition; put the whole condition in quotes if YAML needs it"),
    ("≤", "write `<=`"),
    ("≥", "write `>=`"),
    ("≠", "write `!=`"),
    ("“", 'use straight quotes: `"`'),
    ("”", 'use straight quotes: `"`'),
    ("„", 'use straight quotes: `"`'),
    ("‘", 'use straight quotes: `"`'),
    ("’", 'use straight quotes: `"`'),
    ("−", "use the plain minus sign `-`"),
    ("–", "use the plain minus sign `-`"),
)


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a condition, the last of kind `end` (SPEC L1.1).

    Raises:
        LanguageError: Something in it is not a token; one problem with its offset.
    """
    if len(text) > MAX_CHARACTERS:
        raise wrong(
            MAX_CHARACTERS, "too_long", f"a condition has at most {MAX_CHARACTERS:,} characters, got {len(text):,}"
        )
    tokens: list[Token] = []
    place = 0
    length = len(text.rstrip())
    while place < length:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _not_a_token(text, place + len(text[place:]) - len(text[place:].lstrip()))
        start, place = match.start(match.lastgroup or 0), match.end()
        if match["number"] is not None:
            tokens.append(Token("number", _number(text, start, place, tokens), start, place))
        elif match["text"] is not None:
            tokens.append(Token("text", _unescape(match["text"], start), start, place))
        elif match["word"] is not None:
            tokens.append(Token("word", match["word"], start, place))
        else:
            if match["symbol"] == "<" and text.startswith(">", place):
                raise wrong(start, "operator", "`<>` is not an operator; write `!=`")
            if text.startswith("=", place) and match["symbol"] in {"==", "!="}:
                raise wrong(start, "operator", f"`{match['symbol']}=` is not an operator; write `{match['symbol']}`")
            tokens.append(Token("symbol", match["symbol"], start, place))
    tokens.append(Token("end", "", length, length))
    return tokens


def _number(text: str, start: int, end: int, before: list[Token]) -> int | Decimal:
    """Return a written number exactly; refuse what looks like one and is not (SPEC L1.3)."""
    written = text[start:end]
    whole, _, fraction = written.partition(".")
    if len(whole.lstrip("0")) > MAX_INTEGER_DIGITS or len(fraction) > MAX_FRACTION_DIGITS:
        raise wrong(
            start,
            "number",
            f"a number has at most {MAX_INTEGER_DIGITS} digits before the point and {MAX_FRACTION_DIGITS} after, "
            f"got {len(whole)} and {len(fraction)}",
        )
    if before and before[-1].value == "." and before[-1].end == start:
        raise wrong(start - 1, "number", f"write a zero before the point: `0.{written}`")
    rest = text[end : end + 12]
    if re.match(r"[eE][+-]?[0-9]", rest):
        raise wrong(start, "number", "a number is written out in digits, without an exponent")
    if re.match(r",[0-9]{3}(?![0-9])", rest) and not any(token.value in {"(", "["} for token in before):
        raise wrong(start, "number", f"a number has no grouping; write `{whole}{rest[1:4]}`")
    if re.match(r"_[0-9]", rest):
        raise wrong(start, "number", "a number has no grouping; leave the `_` out")
    if glued := re.match(r"[A-Za-z_]+", rest):
        raise wrong(end, "number", f"put a space between the number and `{glued[0]}`")
    return Decimal(written) if fraction else int(written)


def _unescape(quoted: str, start: int) -> str:
    """Return what a text literal says, in NFC like the arguments it is compared with (law 16)."""
    if "\\" not in quoted:
        return unicodedata.normalize("NFC", quoted[1:-1])

    def resolve(match: re.Match[str]) -> str:
        """Return the character that an escape stands for."""
        escape = match[1]
        if escape[0] == "u" and len(escape) == 5:
            character = chr(int(escape[1:], 16))
            if not "\ud800" <= character <= "\udfff":
                return character
        elif escape in _ESCAPES:
            return _ESCAPES[escape]
        raise wrong(
            start + 1 + match.start(),
            "text",
            f"`\\{escape}` is not an escape; known are \\n \\t \\r \\\\ \\\" \\' \\uXXXX",
        )

    return unicodedata.normalize("NFC", _ESCAPE.sub(resolve, quoted[1:-1]))


def _not_a_token(text: str, place: int) -> LanguageError:
    if text[place] in {'"', "'"}:
        return wrong(place, "text", f"the quote {text[place]} is never closed")
    for symbol, message in _INSTEAD:
        if text.startswith(symbol, place):
            return wrong(place, "operator", message)
    shown = text[place] if text[place].isprintable() else f"\\u{ord(text[place]):04x}"
    return wrong(place, "operator", f"`{shown}` has no meaning in a condition")


def wrong(offset: int, code: str, message: str) -> LanguageError:
    """Return the error for one problem."""
    return LanguageError([(offset, code, message)])
