"""`*_test.yaml`: the examples beside a policy, read into cases; nothing here knows the policy they are for."""

from __future__ import annotations

from collections.abc import Mapping as Pairs
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from agentguard.core.cases import Case, CaseFile, Expectation, Row, Situation, Written
from agentguard.policyfile import bounds, leaf
from agentguard.policyfile.bundle import read_text
from agentguard.policyfile.leaf import Entries, Items, Leaf, Text
from agentguard.policyfile.model import Closed
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shortened
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.spelling import texts, verdict
from agentguard.policyfile.structure import checked
from agentguard.policyfile.torn import mended

_VALUES = Annotated[Mapping, Leaf({"type": "object"}, (Mapping,))]


class SituationModel(Closed):
    """What the world is like; every key may be left out."""

    now: Annotated[Text | None, Field(description="The moment of the decision, such as 2026-11-20 10:00.")] = None
    agent: Annotated[Text | None, Field(description="Who acts; the same as agent.id among the values.")] = None
    on_behalf_of: Annotated[Text | None, Field(description="The customer acted for.")] = None
    tenant: Annotated[Text | None, Field(description="The tenant.")] = None
    context: Annotated[_VALUES | None, Field(description="What the host says, such as the conversation.")] = None
    without: Annotated[Items[Text] | None, Field(description="Names to take away.")] = None
    failed: Annotated[Items[Text] | None, Field(description="Facts whose lookup failed.")] = None
    used: Annotated[Entries[Text] | None, Field(description="By limit: held and settled before this action.")] = None
    held: Annotated[Entries[Text] | None, Field(description="By limit: what other actions hold now.")] = None
    happened: Annotated[Items[Text] | None, Field(description="Ids of the requirements that are fulfilled.")] = None


class ExpectationModel(SituationModel):
    """A situation with what must come out."""

    expect: Annotated[Scalar | None, Leaf(leaf.VERDICT), Field(description="allow, deny, or escalate to a route.")] = (
        None
    )
    by: Annotated[
        Scalar | Sequence | None,
        Leaf(leaf.either(leaf.TEXT, leaf.list_of(leaf.TEXT)), (Scalar, Sequence)),
        Field(description="Exactly the rules, limits and requirements that decide; also otherwise and on_error."),
    ] = None
    say: Annotated[Text | None, Field(description="What the customer hears.")] = None


class CaseModel(ExpectationModel):
    """One example."""

    name: Annotated[Text, Field(description="What the example shows, in words.")]
    do: Annotated[Text, Field(description="The action.")]
    with_: Annotated[_VALUES | None, Field(alias="with", description="Values that differ from `given`.")] = None
    each: Annotated[
        Items[_VALUES] | None, Field(description="A little table: each row is one example on top of this one.")
    ] = None


class RowModel(ExpectationModel):
    """One row of a table, without the values in it."""

    with_: Annotated[_VALUES | None, Field(alias="with", description="Values whose names are also keys here.")] = None


class CasesModel(SituationModel):
    """Examples for a policy."""

    test: Annotated[
        Scalar | Sequence,
        Leaf(leaf.either(leaf.TEXT, leaf.list_of(leaf.TEXT)), (Scalar, Sequence)),
        Field(description="The policy under test, or several that are in force together."),
    ]
    given: Annotated[_VALUES | None, Field(description="The ordinary request; a case says what differs.")] = None
    cases: Annotated[Items[CaseModel], Field(description="The examples.")]


ROW_KEYS = frozenset(field.alias or name for name, field in RowModel.model_fields.items())
"""Keys of a table's row that are not names of values."""


def load_cases(path: str | Path) -> CaseFile:
    """Read a test file.

    Raises:
        PolicyError: With every problem of the file.
    """
    return load_cases_text(read_text(Path(path), str(path)), str(path))


def load_cases_text(text: str, file: str) -> CaseFile:
    """Return the cases that a text says.

    Raises:
        PolicyError: With every problem of the text.
    """
    problems = Problems(file)
    root = read(text, problems)
    whole = mended(root, problems) if root is not None else None
    model = checked(CasesModel, whole, problems) if isinstance(whole, Mapping) else None
    made = _case_file(model, problems) if model is not None else None
    problems.raise_if_any()
    if made is None:
        raise AssertionError("a test file without problems has cases")
    return made


def _case_file(model: CasesModel, problems: Problems) -> CaseFile:
    if not model.cases or len(model.cases) > bounds.CASES:
        message = f"expected 1 to {bounds.CASES:,} cases, got {len(model.cases):,}"
        problems.add(model.node.items["cases"].place, "too_many", message)
    names: dict[str, int] = {}
    cases = []
    for item in model.cases:
        line = item.name.place.line
        if names.setdefault(item.name.text, line) != line:
            message = f"the case `{shortened(item.name.text)}` is already on line {names[item.name.text]}: rename one"
            problems.add(item.name.place, "duplicate_id", message)
        cases.append(_case(item, problems))
    policies = tuple(scalar.text for scalar in texts(model.test, problems, "`test`"))
    return CaseFile(policies, _situation(model, model.given), tuple(cases), problems.file)


def _case(model: CaseModel, problems: Problems) -> Case:
    situation = _situation(model, model.with_)
    rows = tuple(row for node in model.each or () if (row := _row(node, problems)) is not None)
    expectation = _expectation(model, problems)
    if model.each is not None and not model.each:
        problems.add(model.node.items["each"].place, "too_many", "`each` must have at least one row: leave it out")
    if _empty(expectation) and (not rows or any(_empty(row.expectation) for row in rows)):
        message = f"case `{shortened(model.name.text)}` must say what to `expect`, or every row of its table must"
        problems.add(model.node.place, "case_incomplete", message)
    return Case(" ".join(model.name.text.split()), model.do.text, situation, expectation, rows, model.node.place)


def _row(node: Mapping, problems: Problems) -> Row | None:
    """Return one row of a table: its own keys, and the values beside them."""
    own = {key: item for key, item in node.items.items() if key in ROW_KEYS}
    values = {key: item for key, item in node.items.items() if key not in ROW_KEYS}
    model = checked(RowModel, Mapping(own, node.keys, node.place, node.flow), problems)
    if model is None:
        return None
    situation = _situation(model, model.with_, values)
    return Row(situation, _expectation(model, problems), node.place)


def _empty(expectation: Expectation) -> bool:
    return expectation.verdict is None and expectation.by is None and expectation.say is None


def _expectation(model: ExpectationModel, problems: Problems) -> Expectation:
    if model.expect is not None:
        route = model.expect.text.rpartition(" ")[2]
        verdict(model.expect, problems, "`expect`", routes=(route,))
    by = None
    if model.by is not None:
        by = tuple(scalar.text for scalar in texts(model.by, problems, "`by`"))
    expected = " ".join(model.expect.text.split()) if model.expect is not None else None
    return Expectation(expected, by, model.say.text.strip() if model.say is not None else None)


def _situation(model: SituationModel, given: Mapping | None, more: Pairs[str, Node] | None = None) -> Situation:
    values: dict[str, Written] = {}
    for key, name in (("agent", "agent.id"), ("on_behalf_of", "on_behalf_of"), ("tenant", "tenant")):
        item: Scalar | None = getattr(model, key)
        if item is not None:
            values[name] = item.text
    if model.context is not None:
        values |= {f"context.{name}": _written(item) for name, item in model.context.items.items()}
    for nodes in (given.items if given is not None else {}, more or {}):
        values |= {name: _written(item) for name, item in nodes.items()}
    return Situation(
        now=model.now.text if model.now is not None else None,
        values=values,
        without=_names(model.without),
        failed=_names(model.failed),
        used=_texts(model.used),
        held=_texts(model.held),
        happened=_names(model.happened) if model.happened is not None else None,
    )


def _names(items: tuple[Any, ...] | None) -> tuple[str, ...]:
    return tuple(scalar.text for scalar in items or ())


def _texts(items: Pairs[str, Any] | None) -> dict[str, str]:
    return {name: scalar.text for name, scalar in (items or {}).items()}


def _written(node: Node) -> Written:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return tuple(_written(item) for item in node.items)
    return {name: _written(item) for name, item in node.items.items()}
