"""`people.yaml`: who decides escalations; users with their logins, and the groups that routes name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentguard.core.people import People, User
from agentguard.errors import UsageError
from agentguard.policyfile import bounds, leaf
from agentguard.policyfile.bundle import read_text
from agentguard.policyfile.leaf import Entries, Items, Number, Text, word_of
from agentguard.policyfile.model import Closed
from agentguard.policyfile.node import Mapping, Scalar, shortened
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.read import read
from agentguard.policyfile.spelling import sentence, word
from agentguard.policyfile.structure import checked
from agentguard.policyfile.torn import mended

FORMAT = 1
FILE_NAME = "people.yaml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")


class UserModel(Closed):
    """One person."""

    name: Annotated[Text | None, Field(description="The name that others read.")] = None
    logins: Annotated[
        Items[Text] | None, Field(description="How the system knows this person; the id itself when left out.")
    ] = None


class PeopleModel(Closed):
    """Who decides escalations."""

    people: Annotated[Number, Field(description="The version of this format: 1.")]
    users: Annotated[Entries[UserModel], Field(description="Everybody who may decide, by id.")]
    groups: Annotated[Entries[Items[Text]] | None, Field(description="The ids of the people in each group.")] = None
    operators: Annotated[
        Items[Text] | None, Field(description="Who may halt, resume and resolve: ids, or group:NAME.")
    ] = None
    allow_unverified: Annotated[
        Scalar | None,
        word_of("yes", "no"),
        Field(description="yes: a voter may be named without a login, and the record says so; no when left out."),
    ] = None


def load_people(path: str | Path) -> People:
    """Read a people file.

    Raises:
        PolicyError: With every problem of the file.
    """
    return load_people_text(read_text(Path(path), str(path)), str(path))


def people_beside(policies: str | Path | Sequence[str | Path]) -> Path | None:
    """Return the `people.yaml` in the folder of policies, or in the folder of their files; None if there is none.

    Raises:
        UsageError: Several folders have one each, and which of them counts must be said.
    """
    given = [policies] if isinstance(policies, str | Path) else policies
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in map(Path, given))
    found = [folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()]
    if len(found) > 1:
        shown = ", ".join(f"`{path}`" for path in found)
        raise UsageError(f"expected one `{FILE_NAME}` beside the policies, got {shown}; say which with `people=`")
    return found[0] if found else None


def load_people_text(text: str, file: str) -> People:
    """Return the people that a text says.

    Raises:
        PolicyError: With every problem of the text.
    """
    problems = Problems(file)
    root = read(text, problems)
    whole = mended(root, problems) if root is not None else None
    model = checked(PeopleModel, whole, problems) if isinstance(whole, Mapping) else None
    people = _people(model, problems) if model is not None else People()
    problems.raise_if_any()
    return people


def _people(model: PeopleModel, problems: Problems) -> People:
    if model.people.text != str(FORMAT):
        message = f"expected `people: {FORMAT}`, got `{shortened(model.people.text)}`"
        problems.add(model.people.place, "format_unknown", message)
    if len(model.users) > bounds.USERS:
        message = f"expected at most {bounds.USERS:,} users, got {len(model.users):,}"
        problems.add(model.key("users").place, "too_many", message)
    users = _users(model, problems)
    groups: dict[str, frozenset[str]] = {}
    section = model.node.section("groups")
    for name, members in (model.groups or {}).items():
        if _named(section.keys[name], problems, "the name of a group"):
            groups[name] = frozenset(_known(members, users, problems, f"group `{name}`"))
    operators: set[str] = set()
    for scalar in model.operators or ():
        group = scalar.text.removeprefix("group:")
        if scalar.text.startswith("group:") and group in groups:
            operators |= groups[group]
        elif scalar.text.startswith("group:"):
            near = suggestion(group, groups) or ": declare it under `groups`"
            problems.add(scalar.place, "person_unknown", f"`operators`: no group `{shortened(group)}`{near}")
        else:
            operators.update(_known((scalar,), users, problems, "`operators`"))
    unverified = model.allow_unverified
    allowed = unverified is not None and word(unverified, problems, "`allow_unverified`", ("yes", "no")) == "yes"
    return People(users, groups, frozenset(operators), allowed)


def _users(model: PeopleModel, problems: Problems) -> dict[str, User]:
    section = model.node.section("users")
    users: dict[str, User] = {}
    owners: dict[str, str] = {}
    for name, user in model.users.items():
        key = section.keys[name]
        if not _named(key, problems, "the id of a person"):
            continue
        shown = sentence(user.name, problems, f"`name` of `{name}`") if user.name is not None else name
        logins = {scalar.text: scalar for scalar in user.logins} if user.logins is not None else {name: key}
        for login, scalar in logins.items():
            if owners.setdefault(login, name) != name:
                message = f"login `{shortened(login)}` already belongs to `{owners[login]}`: a login is one person"
                problems.add(scalar.place, "login_shared", message)
        users[name] = User(name, shown or name, frozenset(logins))
    return users


def _named(scalar: Scalar, problems: Problems, what: str) -> bool:
    if _NAME.fullmatch(scalar.text) and len(scalar.text) <= bounds.NAME_CHARACTERS:
        return True
    message = f"{what} must be letters, digits, `.`, `_`, `-` and `@`, got `{shortened(scalar.text)}`"
    problems.add(scalar.place, "name_malformed", message)
    return False


def _known(members: tuple[leaf.Text, ...], users: dict[str, User], problems: Problems, what: str) -> list[str]:
    """Return the ids that are users; the others are problems."""
    found = []
    for scalar in members:
        if scalar.text in users:
            found.append(scalar.text)
        elif ("users", scalar.text) not in problems.broken:
            near = suggestion(scalar.text, users) or ": declare them under `users`"
            problems.add(scalar.place, "person_unknown", f"{what}: no user `{shortened(scalar.text)}`{near}")
    return found
