"""The users and groups that a `people.yaml` has declared, and what refers to them by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.problems import Problems, suggestion


@dataclass(frozen=True, slots=True)
class Roster:
    """Who there is to refer to.

    Attributes:
        users: Ids.
        groups: Ids of the users in each group.
    """

    users: Collection[str]
    groups: dict[str, frozenset[str]]

    def known(self, members: Iterable[Scalar], problems: Problems, what: str) -> list[str]:
        """Return the ids that are users; the others are problems."""
        found = []
        for scalar in members:
            if scalar.text in self.users:
                found.append(scalar.text)
            elif ("users", scalar.text) not in problems.broken:
                near = suggestion(scalar.text, self.users) or ": declare them under `users`"
                problems.add(scalar.place, "person_unknown", f"{what}: no user `{shortened(scalar.text)}`{near}")
        return found

    def granted(self, members: Iterable[Scalar], problems: Problems, what: str) -> frozenset[str]:
        """Return the users whom ids, `user:ID` and `group:NAME` mean; what is unknown is a problem."""
        found: set[str] = set()
        for scalar in members:
            kind, colon, name = scalar.text.partition(":")
            if colon and kind == "group" and name in self.groups:
                found |= self.groups[name]
            elif colon and kind == "group":
                near = suggestion(name, self.groups) or ": declare it under `groups`"
                problems.add(scalar.place, "person_unknown", f"{what}: no group `{shortened(name)}`{near}")
            elif colon and kind == "user" and name in self.users:
                found.add(name)
            else:
                found.update(self.known((scalar,), problems, what))
        return frozenset(found)
