"""Who somebody at the command line is, by their login and the people file, and why they do what they do."""

from __future__ import annotations

from pathlib import Path

from agentguard import policyfile
from agentguard.core.people import People
from agentguard.engine import machine
from agentguard.errors import UsageError


def read_people(people: Path | None, policies: Path) -> People | None:
    """Return who may decide, or None where no file says so."""
    path = people or (policies if policies.is_dir() else policies.parent) / "people.yaml"
    if people is None and not path.is_file():
        return None
    return policyfile.load_people(path)


def login() -> str:
    """Return who is logged in, as the operating system knows."""
    try:
        return machine.login()
    except (OSError, KeyError) as error:
        raise UsageError(
            "expected an operating-system login to record as the one who acts; use `--as` where people.yaml allows it"
        ) from error


def voter(people: People | None, named: str | None) -> tuple[str, str]:
    """Return who votes and how they are known: the login through people.yaml, or a name nobody checked."""
    if named is not None:
        return named, "unverified"
    who = login()
    user = people.user_of(who) if people is not None else None
    if people is not None and user is None:
        remedy = "add it under `logins`" + (", or use `--as`" if people.allow_unverified else "")
        raise UsageError(f"people.yaml has no user with the login `{who}`; {remedy}")
    return user.id if user is not None else who, "os_login"


def operator(people: People | None, named: str | None) -> tuple[str, str]:
    """Return who uses a power and how they are known; where nothing is said about powers, whoever is logged in."""
    if named is None and (people is None or not people.declares_powers):
        return login(), "os_login"
    return voter(people, named)


def reason(why: str, said: str) -> str:
    """Return why somebody does something, for the record.

    Args:
        why: What they said.
        said: What of it is recorded, for whoever left it out.

    Raises:
        UsageError: There is no reason.
    """
    if not why.strip():
        raise UsageError(f"expected --why: {said}")
    return why
