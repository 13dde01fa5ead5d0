"""Who may change what is in force, as a people file says it: recorded with each change, and compared at the next one.

A people file is no policy: whoever can write it can name somebody else. So whoever says yes is shown what of it is
otherwise than when the policies in force were put there, and the record says it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentguard.core.english.values import list_words
from agentguard.core.people import People, Power
from agentguard.engine.directory import Directory
from agentguard.errors import PeopleUnavailableError

ABOUT = "who may change what is in force"
"""How a sentence about it begins."""

NOT_KNOWN = f"{ABOUT}: cannot be told now"


@dataclass(frozen=True, slots=True)
class Entrusted:
    """Whom a people file gives the power.

    Attributes:
        file: SHA-256 of the people file; empty where there is none.
    """

    power: Power
    file: str

    @staticmethod
    def of(people: People | None, power: str) -> Entrusted | None:
        """Return whom a people file gives a power; None where nothing is said about any."""
        granted = None if people is None else people.power(power)
        return None if people is None or granted is None else Entrusted(granted, people.source)

    @staticmethod
    def read(document: Mapping[str, Any]) -> Entrusted | None:
        """Return what an entry says; None where it says nothing."""
        said = document.get("may")
        if said is None:
            return None
        return Entrusted(Power(frozenset(said["who"]), said["people"], said["signed"]), document.get("people") or "")

    def recorded(self) -> dict[str, Any]:
        """Return what an entry says, which names the file beside it."""
        return {"who": sorted(self.power.who), "people": self.power.people, "signed": self.power.signed}

    def since(self, before: Entrusted) -> Iterator[str]:
        """Yield what is otherwise than before."""
        old, new = before.power, self.power
        for names, text in ((new.who - old.who, "now also"), (old.who - new.who, "no longer")):
            if names:
                yield f"{text} {list_words(f'`{name}`' for name in sorted(names))}"
        if old.people != new.people:
            yield f"it takes {new.people} of them, was {old.people}"
        if old.signed != new.signed:
            yield "each has to sign it" if new.signed else "nobody has to sign it any more"
        if old == new and self.file != before.file:
            yield "the same people, but the people file says something else (logins, keys or groups)"


def told(before: Entrusted | None, directory: Directory, power: str, entry: int) -> tuple[str, ...]:
    """Return in a sentence what is otherwise than an entry says, for whoever looks at a change; none if nothing is."""
    if before is None:
        return ()
    try:
        now = Entrusted.of(directory.people(), power)
    except PeopleUnavailableError:
        return (NOT_KNOWN,)  # looking needs nobody; whoever makes the change is asked for again, and refused
    found = ["nothing says any more who may"] if now is None else [*now.since(before)]
    return (f"{ABOUT}, since entry {entry}: {'; '.join(found)}",) if found else ()
