"""What a condition asks for, as a small tree of sentences: for one line of prose, or for a list with lists in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Group(enum.StrEnum):
    """How many of the items have to hold."""

    ALL = "all of these hold"
    ANY = "at least one of these holds"
    NONE = "none of these holds"
    NOT_ALL = "not all of these hold"

    @property
    def opposite(self) -> Group:
        """What is left where this does not hold."""
        return _OPPOSITES[self]


_OPPOSITES = {
    Group.ALL: Group.NOT_ALL,
    Group.NOT_ALL: Group.ALL,
    Group.ANY: Group.NONE,
    Group.NONE: Group.ANY,
}


_SIZES = ("is at ", "is more ", "is less ", "is no ")


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence, or several of which so many have to hold.

    Attributes:
        text: The sentence; empty for a group.
        group: None for a sentence.
        subject: What the sentence is about, where it begins with that; the next one need not repeat it.
        is_loose: The sentence has an `and` of its own.
    """

    text: str = ""
    group: Group | None = None
    items: tuple[Clause, ...] = ()
    subject: str = ""
    is_loose: bool = False

    def __str__(self) -> str:
        """Everything on one line; brackets show what belongs together wherever words alone would not."""
        if self.group is None:
            return self.text
        if self.group in (Group.ALL, Group.NOT_ALL):
            joined = " and ".join(item.bracketed() if item.group else item.text for item in self.items)
        else:
            joined = " or ".join(item.bracketed() for item in self.items)
        return joined if self.group in (Group.ALL, Group.ANY) else f"it is not so that ({joined})"

    def bracketed(self) -> str:
        """Return one line that stays together wherever it stands."""
        return f"({self})" if self.is_loose or self.group in (Group.ALL, Group.ANY) else str(self)


def grouped(group: Group, items: tuple[Clause, ...]) -> Clause:
    """Return a group: what is joined in the same way is one list, and what is known is not named twice."""
    joins = {Group.ALL: Group.ALL, Group.NOT_ALL: Group.ALL, Group.ANY: Group.ANY, Group.NONE: Group.ANY}[group]
    flat: list[Clause] = []
    for item in items:
        flat += item.items if item.group is joins else (item,)
    if joins is Group.ALL:
        flat = _told_once(flat)
    if len(flat) == 1 and group in (Group.ALL, Group.ANY):
        return flat[0]
    return Clause(group=group, items=tuple(flat))


def _told_once(items: list[Clause]) -> list[Clause]:
    """Return `x is known` and `x is at least 5` as one sentence, `x is known and at least 5`."""
    told: list[Clause] = []
    for item in items:
        before = told[-1] if told else None
        begins = f"{item.subject} is "
        if before is not None and item.subject and item.text.startswith(begins) and before.text.startswith(begins):
            rest = item.text.removeprefix(f"{item.subject} ")
            rest = rest.removeprefix("is ") if rest.startswith(_SIZES) else rest
            told[-1] = Clause(f"{before.text} and {rest}", subject=item.subject, is_loose=True)
        else:
            told.append(item)
    return told
