"""The languages that letters are written in: sentences with places for values, one file a language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as civil_day
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from agentguard.core.language import Value
from agentguard.core.money import Money
from agentguard.core.policy import Window, WindowKind
from agentguard.core.prose import action_words, name_words
from agentguard.core.values import clock_text, value_text
from agentguard.errors import UsageError

LANGUAGES = ("en", "de", "es", "fr")
SPAN = {"days": 86_400, "hours": 3_600, "minutes": 60}


@dataclass(frozen=True, slots=True)
class Language:
    """One language, with the host's own words for the names of policies.

    Attributes:
        sentences: As the language's file has them.
        names: By name or choice in a policy file (`refund.issue`, `order.total`, `late`), what it is called.
    """

    tag: str
    sentences: Mapping[str, Any]
    names: Mapping[str, str]

    def say(self, place: str, **values: str) -> str:
        """Return one sentence with its values filled in."""
        part, _, name = place.partition(".")
        sentence: str = self.sentences[part][name]
        return sentence.format(**values)

    def knows(self, place: str) -> bool:
        """Return whether there is such a sentence."""
        part, _, name = place.partition(".")
        return name in self.sentences[part]

    def name(self, name: str) -> str:
        """Return what an argument, a fact or a context value is called."""
        known: Mapping[str, str] = self.sentences["names"]
        return self.names.get(name) or known.get(name) or name_words(name)

    def action(self, name: str) -> str:
        """Return what an action is called."""
        return self.names.get(name) or action_words(name)

    def date(self, at: datetime, zone: tzinfo) -> str:
        """Return the civil day of an instant."""
        return self.day(at.astimezone(zone))

    def day(self, day: civil_day) -> str:
        """Return a civil day."""
        months: list[str] = self.sentences["months"]
        form: str = self.sentences["date"]
        return form.format(day=day.day, month=months[day.month - 1], year=day.year)

    def value(self, value: Value, zone: tzinfo) -> str:
        """Return a value as this language writes it, an instant by the clocks of a zone."""
        match value:
            case bool():
                return str(self.sentences["yes" if value else "no"])
            case Money() | Decimal():
                return str(value).replace(".", str(self.sentences["decimal"]))
            case tuple():
                return ", ".join(self.value(item, zone) for item in value)
            case datetime():
                return f"{self.date(value, zone)}, {clock_text(value, zone)}"
            case civil_day():
                return self.day(value)
            case _:
                return value_text(value, zone)

    def choice(self, value: str) -> str:
        """Return one of an enumeration's choices, by its name where it has one."""
        return self.names.get(value) or value

    def quoted(self, words: str) -> str:
        """Return somebody's own words as such."""
        return str(self.sentences["quoted"]).format(words=" ".join(words.split()))

    def window(self, window: Window) -> str:
        """Return the time over which a limit counts."""
        if window.kind is WindowKind.CALENDAR and window.unit is not None:
            return self.say(f"window.{window.unit}")
        if window.kind is WindowKind.SLIDING and window.size is not None:
            seconds = int(window.size.total_seconds())
            unit = next(name for name, size in SPAN.items() if seconds % size == 0)
            return self.say(f"window.{unit}", count=str(seconds // SPAN[unit]))
        return self.say(f"window.{window.kind}")


def language_of(wanted: str, names: Mapping[str, str]) -> Language:
    """Return a language by its tag or the first part of it; English where none is wanted.

    Raises:
        UsageError: There is no such language.
    """
    tag = wanted.lower().replace("_", "-").split("-", maxsplit=1)[0] or "en"
    if tag not in LANGUAGES:
        raise UsageError(f"expected a language of {', '.join(LANGUAGES)}, got `{wanted[:40]}`; letters have no other")
    return Language(tag, _sentences(tag), names)


@cache
def _sentences(tag: str) -> Mapping[str, Any]:
    return tomllib.loads((files("agentguard.engine") / "languages" / f"{tag}.toml").read_text(encoding="utf-8"))
