"""What people may do beside voting: whether this person may, and whether it takes somebody else who says the same.

One person stops; two let go. What takes several people is asked for by each of them, within an hour: long enough to
find a colleague at night, short enough that all of them look at the same situation; other policies may wait a week for
somebody who reads them. Each asking is an entry, and so is each refusal. Where nothing is said about powers, anybody
who has the store has them, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NotRequired, Required, TypedDict, TypeVar

from agentguard.core.digest import time_text
from agentguard.core.people import AUTHENTICATED, UNVERIFIED, People
from agentguard.engine.parts import Parts
from agentguard.errors import PeopleUnavailableError, PowerRefusedError, StoreError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter

T = TypeVar("T")

TOGETHER = timedelta(hours=1)
"""How long somebody's asking counts towards what takes several people."""

LONGER = {"activate": timedelta(days=7)}
"""For which powers it counts longer."""

MAX_CHARACTERS = 2_000
MOST_REFUSALS = 100
"""How many refusals in `TOGETHER` are entries; nobody fills the log by asking for what they may not do."""

UNDECLARED = "undeclared"
UNCHECKED = "unchecked"
"""Who the people are could not be told, and a stop was let through all the same."""

_AT_ONCE = "halt"
_ENDED_BY = {
    "resume": ("halted", "resumed"),
    "activate": ("activated", "activate_withdrawn"),
    "purge": ("purged",),
    "change_key": ("key_introduced",),
}
"""Kinds of entries after which earlier askings for a power count no more: for their `target`, or for anything."""


class Person(TypedDict):
    """Who does something and why, as a host says it; `authenticated` is how the host knows them."""

    by: Required[str]
    why: Required[str]
    authenticated: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Use:
    """Somebody wants to use a power.

    Attributes:
        power: One of `POWERS`.
        subject: What exactly it is used on; several people must mean the same.
        by: Who, by id or login.
        authenticated: How the host knows: `os_login`, `token`, `oidc`, or `unverified`.
    """

    power: str
    subject: str
    tenant: str
    by: str
    why: str
    authenticated: str = UNVERIFIED


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who else asked for the same, and how many more people it takes.

    Attributes:
        entry: Position of the entry of this person's asking, where somebody is missing.
    """

    others: tuple[dict[str, Any], ...] = ()
    missing: int = 0
    entry: int = 0


ALONE = Agreement()


@dataclass(frozen=True, slots=True)
class Permit:
    """A use of a power that this person may make.

    Attributes:
        by: The id of the person.
        power: What it is recorded as: the power, `undeclared` or `unchecked`.
        needed: How many different people it takes.
        counting: Ids of the people whose asking counts.
        people: SHA-256 of the people file that says so, if one does.
        keys: The public keys of people by id, where they have one to sign with.
        signed: Whether each of them has to sign it.
    """

    use: Use
    by: str
    power: str
    needed: int = 1
    counting: frozenset[str] = field(default=frozenset(), repr=False)
    allow_unverified: bool = True
    people: str = ""
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    signed: bool = False

    @property
    def is_declared(self) -> bool:
        """Whether something says who has the power."""
        return self.power == self.use.power

    def at_least(self, people: int) -> Permit:
        """Return the same where it takes at least so many people; nobody is counted where nobody is declared."""
        return replace(self, needed=max(self.needed, people)) if self.is_declared else self

    def together(
        self,
        transaction: Transaction,
        asking: Mapping[str, Any] | None = None,
        counts: Callable[[Entry], bool] = lambda _: True,
    ) -> Agreement:
        """Return who else asked for it; where somebody is still missing, the asking itself is recorded.

        Args:
            transaction: In which it is done or asked for.
            asking: What else the entry of an asking says.
            counts: Whether somebody's earlier asking counts, beside what is asked of each.

        Raises:
            PowerRefusedError: This person has asked already; somebody else has to.
        """
        if self.needed == 1:
            return ALONE
        found = [item for item in self._asked(transaction) if counts(item)]
        asked = {item.document["by"]: item for item in found}  # the earliest of each person
        if self.by in asked:
            message = f"`{self.by}` has asked for this already; somebody else who may has to ask for the same"
            raise PowerRefusedError("asked_already", message)
        others = tuple(
            {"by": by, "authenticated": item.document["authenticated"], "entry": item.pos}
            for by, item in sorted(asked.items(), key=lambda pair: pair[1].pos)
        )
        missing = max(0, self.needed - 1 - len(others))
        if not missing:
            return Agreement(others)
        written = transaction.append(
            {
                "tenant": self.use.tenant,
                "kind": f"{self.use.power}_asked",
                "subject": self.use.subject,
                **self.recorded(Agreement(others)),
                "missing": missing,
                "until": time_text(transaction.now() + counts_for(self.use.power)),
                **(asking or {}),
            }
        )
        return Agreement(others, missing, written.pos)

    def recorded(self, agreement: Agreement = ALONE) -> dict[str, Any]:
        """Return what an entry says about who did it."""
        return {
            "by": self.by,
            "why": self.use.why,
            "authenticated": self.use.authenticated,
            "power": self.power,
            "people": self.people or None,
            "with": list(agreement.others),
        }

    def _asked(self, transaction: Transaction) -> list[Entry]:
        """Return the askings for exactly this that still count, the newest first."""
        found = open_askings(transaction, self.use.power, transaction.now())
        return [item for item in found if item.document["subject"] == self.use.subject and self._counts(item.document)]

    def _counts(self, asked: dict[str, Any]) -> bool:
        verified = asked["authenticated"] != UNVERIFIED or self.allow_unverified
        return verified and asked["by"] in self.counting


def counts_for(power: str) -> timedelta:
    """Return how long an asking for a power counts."""
    return LONGER.get(power, TOGETHER)


def open_askings(reading: Reading, power: str, now: datetime) -> list[Entry]:
    """Return the askings for a power that still count at a moment, whoever asked for what, the newest first."""
    since = now - counts_for(power)
    ended: dict[str | None, int] = {}
    for kind in _ENDED_BY.get(power, ()):
        for item in _recent(reading, kind, since):
            target = item.document.get("target")
            ended[target] = max(ended.get(target, 0), item.pos)
    everything = ended.get(None, 0)
    return [
        item
        for item in _recent(reading, f"{power}_asked", since)
        if not item.is_purged and item.pos > max(everything, ended.get(item.document["subject"], 0))
    ]


def used(parts: Parts, use: Use, work: Callable[[Transaction, Permit], T]) -> T:
    """Run a unit of work for somebody who may; a refusal is recorded, and nothing else is.

    Raises:
        PowerRefusedError: This person may not, nobody checked who they are, or somebody else has to.
        PeopleUnavailableError: Who the people are cannot be told; only a stop is let through then.
        UsageError: Nobody or no reason is named.
    """
    permit = permitted(parts, use)
    try:
        return parts.store.transact(lambda transaction: work(transaction, permit))
    except PowerRefusedError as error:
        _record(parts, use, error)
        raise


def permitted(parts: Parts, use: Use) -> Permit:
    """Return the permit of whoever may use a power; a refusal is recorded.

    Raises:
        PowerRefusedError: This person may not, or nobody checked who they are.
        PeopleUnavailableError: Who the people are cannot be told; only a stop is let through then.
        UsageError: Nobody or no reason is named.
    """
    require_person(use.by, use.why, use.authenticated)
    try:
        people = parts.directory.people()
        return Permit(use, use.by, UNDECLARED) if people is None else _of(people, use)
    except PeopleUnavailableError:
        if use.power != _AT_ONCE:
            raise
        return Permit(use, use.by, UNCHECKED)
    except PowerRefusedError as error:
        _record(parts, use, error)
        raise


def _of(people: People, use: Use) -> Permit:
    granted = people.power(use.power)
    keys = {user.id: user.key for user in people.users.values() if user.key}
    if granted is None:
        return Permit(use, use.by, UNDECLARED, people=people.source)
    user = people.named(use.by)
    if user is None or user.id not in granted.who:
        names = ", ".join(f"`{name}`" for name in sorted(granted.who)[:10]) or "nobody"
        message = f"`{use.by[:100]}` may not {_words(use.power)}: the people file gives that power to {names}"
        raise PowerRefusedError("no_such_power", message)
    if use.authenticated == UNVERIFIED and not people.allow_unverified and use.power != _AT_ONCE:
        raise PowerRefusedError(
            "unverified",
            f"nobody checked who wants to {_words(use.power)}: say how `{use.by[:100]}` is known (`authenticated=`), "
            "log in, or allow it with `allow_unverified: yes` in the people file",
        )
    return Permit(
        use,
        user.id,
        use.power,
        granted.people,
        granted.who,
        people.allow_unverified,
        people.source,
        keys,
        granted.signed,
    )


def require_person(by: str, why: str, authenticated: str = UNVERIFIED) -> None:
    """Refuse what nobody says, or for no reason.

    Raises:
        UsageError: Nobody and no reason is named, or at too great length, or it is not known how they are known.
    """
    texts: tuple[object, ...] = (by, why)
    if not all(isinstance(text, str) and len(text) <= MAX_CHARACTERS for text in texts):
        raise UsageError(f"expected `by` and `why` as text of at most {MAX_CHARACTERS} characters")
    if not by or not why:
        raise UsageError("expected who does this (`by`) and a reason (`why`), got nothing; both go into the record")
    if not by.isprintable():
        raise UsageError("expected `by` as printable text: an id or a login")
    if authenticated not in AUTHENTICATED:
        known = ", ".join(sorted(AUTHENTICATED))
        raise UsageError(f"expected one of {known} for `authenticated`, got `{authenticated!s:.40}`")


def more_people(missing: int, within: timedelta = TOGETHER) -> str:
    """Return words for how many people are still missing, and by when."""
    days, minutes = within.days, int(within / timedelta(minutes=1))
    people = "one more person has" if missing == 1 else f"{missing} more people have"
    return f"{people} to ask for the same within {f'{days} days' if days else f'{minutes} minutes'}"


def _words(power: str) -> str:
    return power.replace("_", " ")


def _recent(reading: Reading, kind: str, since: datetime) -> tuple[Entry, ...]:
    return reading.entries(0, 1_000, EntryFilter(kind=kind, since=since), newest_first=True)


def _record(parts: Parts, use: Use, refused: PowerRefusedError) -> None:
    """Write a refusal down. Where the store cannot, it stands all the same: nothing was done."""

    def work(transaction: Transaction) -> None:
        """Write the refusal down, unless very many were written lately."""
        if len(_recent(transaction, "power_refused", transaction.now() - TOGETHER)) >= MOST_REFUSALS:
            return
        transaction.append(
            {
                "tenant": use.tenant,
                "kind": "power_refused",
                "power": use.power,
                "subject": use.subject,
                "by": use.by[:100],
                "authenticated": use.authenticated,
                "why": use.why[:100],
                "refused": refused.why,
            }
        )

    try:
        parts.store.transact(work)
    except StoreError as error:
        raise refused from error
