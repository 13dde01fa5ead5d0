"""Who decides and who may press which button, as `people.yaml` or the host says: users, groups, absences, powers.

Nothing here authenticates anybody; how a person was known is recorded with what they did.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo

from agentguard.core.policy import Place
from agentguard.errors import UsageError

POWERS: Mapping[str, int] = {
    "halt": 1,
    "resume": 2,
    "resolve": 1,
    "erase": 1,
    "activate": 1,
    "withdraw": 1,
    "confirm_clock": 1,
    "read_personal": 1,
    "legal_hold": 1,
    "purge": 2,
    "restore": 2,
    "change_key": 2,
    "review": 1,
}
"""What a person may be trusted with beside votes, and how many different people it takes where nothing else is said."""

ONE_PERSON = frozenset({"halt", "confirm_clock"})
"""Powers that never take a second person: a stop would come too late, and a doubted clock lets nothing be written."""

LOOSENS = frozenset({"activate"})
LOOSENING = 2
"""Which powers may let an agent do more, and how many different people that takes at least."""

SIGNED = frozenset({"activate"})
"""Powers of which the people file may say that whoever uses them signs it."""

UNVERIFIED = "unverified"
AUTHENTICATED = frozenset({"os_login", "token", "oidc", UNVERIFIED})
"""How somebody may be known."""


def one_spelling(name: str) -> str:
    """Return the spelling in which names are compared: `Maria`, ` maria` and a full-width `ｍａｒｉａ` are one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def bare_key(key: str) -> str:
    """Return what a public key is without the name that it goes by: the same key under two names is one key."""
    return key.split("+", 2)[-1]


@dataclass(frozen=True, slots=True)
class Absence:
    """Civil days on which somebody does not vote, the first and the last included, and who votes instead."""

    first: date
    last: date
    delegate: str | None = None

    def covers(self, day: date) -> bool:
        """Return whether a day lies in it."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class User:
    """One person.

    Attributes:
        logins: Names by which the operating system, a token or an identity provider knows this person.
        email: Where notices go; personal.
        key: The public key with which this person signs changes of policies; empty for who signs nothing.
    """

    id: str
    name: str
    logins: frozenset[str]
    email: str = ""
    key: str = ""
    absences: tuple[Absence, ...] = ()


@dataclass(frozen=True, slots=True)
class Power:
    """Who may do something beside voting, by id, and how many different people it takes.

    Attributes:
        signed: Whether each of them has to sign it; only for changes of policies.
    """

    who: frozenset[str]
    people: int = 1
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """By what somebody may vote at a moment.

    Attributes:
        voter: The id of whoever votes.
        groups: The entries of a route's `who` that admit the vote: `group:leads`, `user:maria`.
        stands_for: The id of the absent person whose place the voter takes; empty for their own.
    """

    voter: str
    groups: frozenset[str]
    stands_for: str = ""

    @property
    def seat(self) -> str:
        """Whose place this is; two votes from one place count once."""
        return self.stands_for or self.voter


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who may decide something.

    Names are compared in one spelling, so that nobody is two people.

    Attributes:
        users: By id.
        groups: Ids of the users in each group; a group may be empty, and then nobody can decide its routes.
        operators: Ids of the users who have every power that `powers` does not name; None if nothing is said.
        allow_unverified: A voter may be named without having logged in; recorded as `unverified`.
        powers: By name; None if nothing is said. What is in neither, nobody may, once one of both is said.
        zone: In which the days of absences begin and end.
        places: Where each stands in a file (`user:maria`, `group:leads`, `power:resume`), for messages.
        source: SHA-256 of the file's text, for the record; empty for people who come from elsewhere.

    Raises:
        UsageError: Two users share a spelling, a login or a key, a user stands under another id, or a power is none.
    """

    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    operators: frozenset[str] | None = None
    allow_unverified: bool = False
    powers: Mapping[str, Power] | None = None
    zone: tzinfo = UTC
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    source: str = field(default="", compare=False)
    _ids: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _logins: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index everybody by spelling."""
        ids: dict[str, str] = {}
        logins: dict[str, str] = {}
        keys: dict[str, str] = {}
        for name, user in self.users.items():
            if name != user.id:
                raise UsageError(f"expected user `{user.id}` under their own id, got them under `{name}`")
            if ids.setdefault(one_spelling(name), name) != name:
                raise UsageError(f"expected ids that differ, got `{ids[one_spelling(name)]}` and `{name}`: one person")
            for login in user.logins:
                if logins.setdefault(one_spelling(login), name) != name:
                    raise UsageError(f"expected a login of one person, got `{login}` for two; a login is one person")
            if user.key and keys.setdefault(bare_key(user.key), name) != name:
                raise UsageError(f"expected a key of one person, got that of `{keys[bare_key(user.key)]}` for `{name}`")
        for spelling, owner in logins.items():
            if ids.get(spelling, owner) != owner:
                raise UsageError(f"expected a login of one person, got `{spelling}` of `{owner}`, another one's id")
        for power, granted in (self.powers or {}).items():
            most = 1 if power in ONE_PERSON else granted.people
            if power not in POWERS or not 1 <= granted.people <= most or (granted.signed and power not in SIGNED):
                raise UsageError(f"expected a power of {', '.join(POWERS)} and whom it takes, got `{power}`: {granted}")
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_logins", logins)

    def user_of(self, login: str) -> User | None:
        """Return who uses a login, or None if nobody here does."""
        found = self._logins.get(one_spelling(login))
        return None if found is None else self.users[found]

    def named(self, name: str) -> User | None:
        """Return who is meant by an id or a login in any spelling, or None if nobody here is."""
        found = self._ids.get(one_spelling(name))
        return self.user_of(name) if found is None else self.users[found]

    def id_of(self, name: str) -> str:
        """Return the id of whoever did something under a name, which may have become a login of theirs meanwhile."""
        found = self.named(name)
        return name if found is None else found.id

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups of a user as routes name them, `group:…`."""
        return frozenset(f"group:{group}" for group, members in self.groups.items() if user in members)

    def members(self, who: Iterable[str]) -> frozenset[str]:
        """Return the ids of the users whom a route's `who` names, whether they are here today or not."""
        named = [entry.partition(":") for entry in who]
        grouped = (self.groups.get(name, frozenset()) for kind, _, name in named if kind == "group")
        single = {name for kind, _, name in named if kind == "user"}
        return frozenset(single.union(*grouped) & self.users.keys())

    def admitted(self, who: Iterable[str], at: datetime) -> frozenset[str]:
        """Return the ids of the users who may vote at a moment, delegates of absent members included."""
        members = self.members(who)
        absences = {user: self.absence_of(user, at) for user in members}
        delegates = {absence.delegate for absence in absences.values() if absence is not None and absence.delegate}
        here = {user for user, absence in absences.items() if absence is None}
        return frozenset(here | {user for user in delegates & self.users.keys() if self.absence_of(user, at) is None})

    def membership(
        self, user: str, who: Iterable[str], at: datetime, taken: frozenset[str] = frozenset()
    ) -> Membership | None:
        """Return by what a user may vote on a route: their own place, else that of an absent member who named them.

        Whoever is absent votes for nobody, so that a delegate of a delegate is not followed.

        Args:
            user: An id, as `named` gives it.
            who: Whom the route admits.
            at: When the vote is cast.
            taken: Places that have a vote already; they do not count again.
        """
        wanted = tuple(who)
        if user not in self.users or self.absence_of(user, at) is not None:
            return None
        own = self._entries(user, wanted)
        if own and user not in taken:
            return Membership(user, own)
        for other in sorted(self.members(wanted) - taken - {user}):
            absence = self.absence_of(other, at)
            entries = self._entries(other, wanted) if absence is not None and absence.delegate == user else None
            if entries:
                return Membership(user, entries, other)
        return None

    def absence_of(self, user: str, at: datetime) -> Absence | None:
        """Return the absence that a user has at a moment, or None."""
        found = self.users.get(user)
        if found is None or not found.absences:
            return None
        day = at.astimezone(self.zone).date()
        return next((absence for absence in found.absences if absence.covers(day)), None)

    @property
    def declares_powers(self) -> bool:
        """Whether anything is said about powers; if not, anybody who has the store has all of them."""
        return self.operators is not None or self.powers is not None

    def power(self, name: str) -> Power | None:
        """Return who has a power, or None where nothing is said about any."""
        if not self.declares_powers:
            return None
        found = (self.powers or {}).get(name)
        return found or Power(self.operators or frozenset(), POWERS.get(name, 1))

    def may(self, power: str, user: str) -> bool:
        """Return whether somebody has a power; anybody has where nothing is said about any."""
        granted, found = self.power(power), self.named(user)
        return granted is None or (found is not None and found.id in granted.who)

    def _entries(self, user: str, who: Iterable[str]) -> frozenset[str]:
        """Return which entries of a route's `who` name a user."""
        found = set()
        for entry in who:
            kind, _, name = entry.partition(":")
            if (kind == "group" and user in self.groups.get(name, ())) or entry == f"user:{user}":
                found.add(entry)
        return frozenset(found)
