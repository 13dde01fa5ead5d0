"""`powers` in `people.yaml`: who may stop, let go and so on, and how many different people each takes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field

from agentguard.core.people import ONE_PERSON, POWERS, SIGNED, Power
from agentguard.core.policy import Place
from agentguard.policyfile import bounds
from agentguard.policyfile.leaf import TEXT, Items, Leaf, Number, Text, either, list_of, word_of
from agentguard.policyfile.model import Closed
from agentguard.policyfile.node import Mapping, Scalar, Sequence
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.roster import Roster
from agentguard.policyfile.spelling import texts, whole_number, word
from agentguard.policyfile.structure import checked


class PowerModel(Closed):
    """Who has a power, and how many different people it takes."""

    model_config = ConfigDict(json_schema_extra={"required": ["who"]})

    who: Annotated[Items[Text] | None, Field(description="Ids, or group:NAME.")] = None
    people: Annotated[Number | None, Field(description="How many different people it takes.")] = None
    signed: Annotated[
        Scalar | None,
        word_of("yes", "no"),
        Field(description="yes: each of them signs it with the `key` of their own; only for `activate`."),
    ] = None


Grant: TypeAlias = Annotated[
    Scalar | Sequence | Mapping,
    Leaf(either(TEXT, list_of(TEXT), PowerModel.model_json_schema()), (Scalar, Sequence, Mapping)),
]


class PowersModel(Closed):
    """Who may do what beside voting: a list of ids and groups, or who and how many people."""

    halt: Annotated[
        Grant | None, Field(description="Stop everything, an action or an agent; one person is enough.")
    ] = None
    resume: Annotated[Grant | None, Field(description="Let go on what was stopped; 2 people when left out.")] = None
    resolve: Annotated[Grant | None, Field(description="Say how an action in doubt really ended.")] = None
    erase: Annotated[Grant | None, Field(description="Destroy what identifies a customer.")] = None
    activate: Annotated[Grant | None, Field(description="Put policies into force.")] = None
    withdraw: Annotated[Grant | None, Field(description="Take back what waits for people.")] = None
    confirm_clock: Annotated[Grant | None, Field(description="Say that a clock that jumped is right now.")] = None
    read_personal: Annotated[Grant | None, Field(description="See what is personal; each look is recorded.")] = None
    legal_hold: Annotated[Grant | None, Field(description="Keep records from being purged or erased.")] = None
    purge: Annotated[
        Grant | None, Field(description="Take away records whose time is over; 2 people when left out.")
    ] = None
    restore: Annotated[
        Grant | None, Field(description="Say that an older database was put back; 2 people when left out.")
    ] = None
    change_key: Annotated[
        Grant | None, Field(description="Have the log signed with another key; 2 people when left out.")
    ] = None
    review: Annotated[Grant | None, Field(description="Judge decisions that were drawn for a review.")] = None


def powers(model: PowersModel, roster: Roster, problems: Problems, places: dict[str, Place]) -> dict[str, Power]:
    """Return who has each power that is named; `places` learns where each stands."""
    found: dict[str, Power] = {}
    for name, usual in POWERS.items():
        grant: Scalar | Sequence | Mapping | None = getattr(model, name)
        if grant is None:
            continue
        places[f"power:{name}"] = model.key(name).place
        said = checked(PowerModel, grant, problems) if isinstance(grant, Mapping) else None
        who = _who(grant, said, name, problems)
        found[name] = Power(
            roster.granted(who, problems, f"power `{name}`"),
            _people(said, name, problems) or usual,
            _is_signed(said, name, problems),
        )
    return found


def _who(grant: Scalar | Sequence | Mapping, model: PowerModel | None, name: str, problems: Problems) -> list[Scalar]:
    if not isinstance(grant, Mapping):
        return texts(grant, problems, f"power `{name}`")
    if model is None or (model.who is None and ("who", "*") not in problems.broken):
        problems.add(grant.place, "missing_key", f"power `{name}`: key `who` is missing: add it")
    return list(model.who or ()) if model is not None else []


def _people(model: PowerModel | None, name: str, problems: Problems) -> int | None:
    if model is None or model.people is None:
        return None
    people = whole_number(model.people, problems, f"power `{name}`: `people`", bounds.PEOPLE_NEEDED)
    if name in ONE_PERSON and people is not None and people > 1:
        message = f"power `{name}` takes one person, got {people}: nothing waits for a second one here"
        problems.add(model.people.place, "number_malformed", message)
        return None
    return people


def _is_signed(model: PowerModel | None, name: str, problems: Problems) -> bool:
    if model is None or model.signed is None:
        return False
    signed = word(model.signed, problems, f"power `{name}`: `signed`", ("yes", "no")) == "yes"
    if signed and name not in SIGNED:
        message = f"nobody signs what power `{name}` does, only what {', '.join(f'`{item}`' for item in SIGNED)} does"
        problems.add(model.signed.place, "word_unknown", message)
        return False
    return signed
