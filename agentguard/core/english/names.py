"""Names of policy files as nouns: `order.delivered_at` is when the order was delivered.

Nothing is translated: what is said are the words that the name is made of, in the order of English.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.core.language import Date, Integer, Time, Type, YesNo

IT = "it"
NOW = "now"

_KNOWN = {
    "on_behalf_of": "the customer of this request",
    "tenant": "the tenant",
    "agent.id": "the agent",
    "context.conversation": "the conversation",
}
_MOMENTS = {"now": (NOW, NOW), "asked_at": ("the time of the request", "the request")}
_VERBS = {"starts", "ends", "begins", "opens", "closes", "expires", "leaves", "arrives"}
_IRREGULAR = {
    "begun", "born", "bought", "built", "done", "found", "given", "held", "kept", "left", "lost", "made", "met", "paid",
    "read", "seen", "sent", "set", "shown", "sold", "spent", "sworn", "taken", "told", "written",
}  # fmt: skip
_SHORTEST_PARTICIPLE = 5


@dataclass(frozen=True, slots=True)
class Noun:
    """What a value is called.

    Attributes:
        text: In a sentence, `the time when the order was delivered`.
        short: Where it stands after `from` or `to`, `when the order was delivered`; mostly the same.
        states: Owner, verb and the rest, where a name is a sentence already: `customer.is_adult`.
    """

    text: str
    short: str
    states: tuple[str, str, str] | None = None


def read_noun(name: str, kind: Type) -> Noun:
    """Return what a value of the environment is called."""
    if name in _MOMENTS:
        return Noun(*_MOMENTS[name])
    if name in _KNOWN:
        return Noun(_KNOWN[name], _KNOWN[name])
    first, *rest = name.split(".")
    if first == "context":
        first = "conversation"
    if rest:
        owner = f"the {_words(first)}"
        for part in rest[:-1]:
            owner = f"{_possessive(owner)} {_words(part)}"
        return field_noun(owner, rest[-1], kind)
    if isinstance(kind, YesNo):
        return _same(f"“{_words(first)}”")
    if isinstance(kind, Time | Date) and first.endswith(("_at", "_on")):
        return _same(f"the {'time' if isinstance(kind, Time) else 'day'} “{_words(first)}”")
    return _same(_number_of(f"the {_words(first)}", kind))


def field_noun(owner: str, name: str, kind: Type) -> Noun:
    """Return what a part of something is called; the owner is a noun, `it`, or the variable of a list."""
    possessive = _possessive(owner)
    words = _words(name)
    if isinstance(kind, YesNo):
        verb, _, rest = words.partition(" ")
        noun = f"{possessive} “{words}”"
        return Noun(noun, noun, (owner, verb, rest) if verb in ("is", "has") and rest else None)
    if isinstance(kind, Time | Date) and name.endswith(("_at", "_on")):
        what = "time" if isinstance(kind, Time) else "day"
        stem = name[:-3].split("_")
        subject = " ".join([possessive, *stem[:-1]]) if stem[1:] else owner
        if stem[-1] in _VERBS:
            return Noun(f"the {what} when {subject} {stem[-1]}", f"when {subject} {stem[-1]}")
        if _is_participle(stem[-1]):
            return Noun(f"the {what} when {subject} was {stem[-1]}", f"when {subject} was {stem[-1]}")
        return Noun(f"the {what} of {possessive} {' '.join(stem)}", f"{possessive} {' '.join(stem)}")
    return _same(_number_of(f"{possessive} {words}", kind))


def defined(name: str) -> str:
    """Return a name that the file itself explains, as a term with a meaning of its own: `in_window` is “in window”."""
    return f"“{_words(name)}”"


def _number_of(noun: str, kind: Type) -> str:
    """Return a noun in the singular: a whole number of a thing in the plural is their number."""
    plural = isinstance(kind, Integer) and noun.endswith("s") and not noun.endswith(("ss", "us", "is"))
    return f"the number of {noun}" if plural else noun


def _same(text: str) -> Noun:
    return Noun(text, text)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _possessive(owner: str) -> str:
    if owner == IT:
        return "its"
    return f"{owner}'" if owner.endswith("s") else f"{owner}'s"


def _is_participle(word: str) -> bool:
    regular = word.endswith("ed") and not word.endswith("eed") and len(word) >= _SHORTEST_PARTICIPLE
    return regular or word in _IRREGULAR
