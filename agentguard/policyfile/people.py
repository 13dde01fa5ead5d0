"""`people.yaml`: who decides escalations and has which power; users, their logins and absences, and groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentguard.core.digest import digest
from agentguard.core.people import People, User, bare_key, one_spelling
from agentguard.core.policy import Place
from agentguard.errors import NoteError, UsageError
from agentguard.evidence.keys import LOG, VerifierKey
from agentguard.policyfile import bounds
from agentguard.policyfile.absences import AbsenceModel, absences
from agentguard.policyfile.bundle import read_text
from agentguard.policyfile.filenames import PEOPLE, is_people
from agentguard.policyfile.leaf import Entries, Items, Leaf, Number, Text, word_of
from agentguard.policyfile.model import Closed
from agentguard.policyfile.node import Mapping, Scalar, shortened
from agentguard.policyfile.powers import PowersModel, powers
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.roster import Roster
from agentguard.policyfile.spelling import sentence, word, zone
from agentguard.policyfile.structure import checked
from agentguard.policyfile.torn import mended

FORMAT = 1
EMAIL_CHARACTERS = 254
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_EMAIL = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")


class UserModel(Closed):
    """One person."""

    name: Annotated[Text | None, Field(description="The name that others read.")] = None
    logins: Annotated[
        Items[Text] | None, Field(description="How the system knows this person; the id itself when left out.")
    ] = None
    email: Annotated[Text | None, Field(description="Where notices for this person go.")] = None
    key_: Annotated[
        Text | None, Field(alias="key", description="The public key with which this person signs changes of policies.")
    ] = None
    absences: Annotated[
        Items[AbsenceModel] | None, Field(description="Days on which this person does not vote, and who does instead.")
    ] = None


class PeopleModel(Closed):
    """Who decides escalations."""

    people: Annotated[Number, Field(description="The version of this format: 1.")]
    timezone: Annotated[
        Scalar | None,
        Leaf({"type": "string"}),
        Field(description="In which the days of absences begin and end, like Europe/Berlin; UTC when left out."),
    ] = None
    users: Annotated[Entries[UserModel], Field(description="Everybody who may decide, by id.")]
    groups: Annotated[Entries[Items[Text]] | None, Field(description="The ids of the people in each group.")] = None
    operators: Annotated[
        Items[Text] | None, Field(description="Who has every power that `powers` does not name: ids, or group:NAME.")
    ] = None
    powers: Annotated[
        PowersModel | None, Field(description="Who may halt, resume and so on, and how many people it takes.")
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
        UsageError: Several folders have one each, and which of them counts must be said; or one is named otherwise.
    """
    given = [policies] if isinstance(policies, str | Path) else policies
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in map(Path, given))
    for other in (path for folder in folders for path in folder.glob("*") if is_people(path) and path.name != PEOPLE):
        raise UsageError(f"expected `{PEOPLE}` beside the policies, got `{other}`, which nobody reads; rename it")
    found = [folder / PEOPLE for folder in folders if (folder / PEOPLE).is_file()]
    if len(found) > 1:
        shown = ", ".join(f"`{path}`" for path in found)
        raise UsageError(f"expected one `{PEOPLE}` beside the policies, got {shown}; say which with `people=`")
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
    return replace(people, source=digest(text.encode()))


def _people(model: PeopleModel, problems: Problems) -> People:
    if model.people.text != str(FORMAT):
        message = f"expected `people: {FORMAT}`, got `{shortened(model.people.text)}`"
        problems.add(model.people.place, "format_unknown", message)
    if len(model.users) > bounds.USERS:
        message = f"expected at most {bounds.USERS:,} users, got {len(model.users):,}"
        problems.add(model.key("users").place, "too_many", message)
    places = {"file": Place(model.people.place.file, 1, 1)}
    users = _users(model, problems, places)
    roster = Roster(users.keys(), {})
    section = model.node.section("groups")
    for name, members in (model.groups or {}).items():
        if _named(section.keys[name], problems, "the name of a group"):
            places[f"group:{name}"] = section.keys[name].place
            roster.groups[name] = frozenset(roster.known(members, problems, f"group `{name}`"))
    users = {name: _with_absences(user, model, roster, problems, places) for name, user in users.items()}
    unverified = model.allow_unverified
    if unverified is not None:
        places["allow_unverified"] = unverified.place
    if model.operators is not None:
        places["operators"] = model.key("operators").place
    return People(
        users=users if not problems else {},
        groups=roster.groups,
        operators=None if model.operators is None else roster.granted(model.operators, problems, "`operators`"),
        allow_unverified=unverified is not None
        and word(unverified, problems, "`allow_unverified`", ("yes", "no")) == "yes",
        powers=None if model.powers is None else powers(model.powers, roster, problems, places),
        zone=(zone(model.timezone, problems) if model.timezone is not None else None) or UTC,
        places=places,
    )


def _users(model: PeopleModel, problems: Problems, places: dict[str, Place]) -> dict[str, User]:
    section = model.node.section("users")
    users: dict[str, User] = {}
    ids = {one_spelling(name): name for name in reversed(model.users)}
    owners: dict[str, str] = {}
    keys: dict[str, str] = {}
    for name, user in model.users.items():
        key = section.keys[name]
        if not _named(key, problems, "the id of a person"):
            continue
        if ids[one_spelling(name)] != name:
            message = f"`{name}` is `{ids[one_spelling(name)]}` in another spelling: a person stands here once"
            problems.add(key.place, "duplicate_id", message)
        shown = sentence(user.name, problems, f"`name` of `{name}`") if user.name is not None else name
        logins = {scalar.text: scalar for scalar in user.logins} if user.logins is not None else {name: key}
        for login, scalar in logins.items():
            owner = owners.setdefault(one_spelling(login), name)
            if owner == name:
                owner = ids.get(one_spelling(login), name)
            if one_spelling(owner) != one_spelling(name):
                message = f"login `{shortened(login)}` already belongs to `{owner}`: a login is one person"
                problems.add(scalar.place, "login_shared", message)
        places[f"user:{name}"] = key.place
        email = _email(user.email, problems, name) if user.email is not None else ""
        public = _key(user.key_, problems, name, keys) if user.key_ is not None else ""
        users[name] = User(name, shown or name, frozenset(logins), email, public)
    return users


def _with_absences(
    user: User, model: PeopleModel, roster: Roster, problems: Problems, places: dict[str, Place]
) -> User:
    said = model.users[user.id].absences or ()
    found = absences(said, user.id, roster, problems)
    places.update({f"absence:{user.id}:{absence.first}": item.node.place for absence, item in found.items()})
    return replace(user, absences=tuple(found))


def _email(scalar: Scalar, problems: Problems, user: str) -> str:
    if _EMAIL.fullmatch(scalar.text) and len(scalar.text) <= EMAIL_CHARACTERS:
        return scalar.text
    message = f"`email` of `{user}` must be an address like `maria@acme.example`, got `{shortened(scalar.text)}`"
    problems.add(scalar.place, "name_malformed", message)
    return ""


def _key(scalar: Scalar, problems: Problems, user: str, owners: dict[str, str]) -> str:
    """Return a public key; `owners` learns whose it is, since a key is one person's under whatever name."""
    try:
        public = VerifierKey.read(scalar.text)
    except NoteError as error:
        problems.add(scalar.place, "key_malformed", f"`key` of `{user}`: {error}")
        return ""
    if public.signs != LOG:
        message = f"`key` of `{user}` is that of a witness: make one for a person with `agentguard audit keygen`"
        problems.add(scalar.place, "key_malformed", message)
        return ""
    if owners.setdefault(bare_key(public.text), user) != user:
        message = f"the key of `{user}` is the key of `{owners[bare_key(public.text)]}`: a key is one person's"
        problems.add(scalar.place, "key_shared", message)
    return public.text


def _named(scalar: Scalar, problems: Problems, what: str) -> bool:
    if _NAME.fullmatch(scalar.text) and len(scalar.text) <= bounds.NAME_CHARACTERS:
        return True
    message = f"{what} must be letters, digits, `.`, `_`, `-` and `@`, got `{shortened(scalar.text)}`"
    problems.add(scalar.place, "name_malformed", message)
    return False
