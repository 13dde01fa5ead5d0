"""Who decides escalations, as `people.yaml` says: users, their logins, their groups.

Nothing here authenticates anybody; how a voter was known is recorded with the vote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """One person.

    Attributes:
        logins: Names by which the operating system, a token or an identity provider knows this person.
    """

    id: str
    name: str
    logins: frozenset[str]


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who may decide something.

    Attributes:
        users: By id.
        groups: Ids of the users in each group; a group may be empty, and then nobody can decide its routes.
        operators: Ids of the users who may stop, resume and resolve.
        allow_unverified: A voter may be named without having logged in; recorded as `unverified`.
    """

    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    operators: frozenset[str] = frozenset()
    allow_unverified: bool = False

    def user_of(self, login: str) -> User | None:
        """Return who uses a login, or None if nobody here does."""
        return next((user for user in self.users.values() if login in user.logins), None)

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups of a user as routes name them, `group:…`."""
        return frozenset(f"group:{group}" for group, members in self.groups.items() if user in members)

    def admitted(self, who: tuple[str, ...]) -> frozenset[str]:
        """Return the ids of the users whom a route's `who` admits."""
        found: set[str] = set()
        for entry in who:
            kind, _, name = entry.partition(":")
            if kind == "group":
                found |= self.groups.get(name, frozenset())
            elif name in self.users:
                found.add(name)
        return frozenset(found)
