"""What stands around the rules of a policy: people, terms, tables, calendars, promises, and what happens afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from agentguard.analysis.explained.clauses import asked, capital, only_for
from agentguard.core.documents.blocks import Block, Item, Paragraph, Points, Section
from agentguard.core.documents.blocks import Table as Grid
from agentguard.core.english.calendars import calendar_words
from agentguard.core.english.names import defined, read_noun
from agentguard.core.english.parts import expression_words, late_words, promise_words
from agentguard.core.english.values import list_words, value_words, within_words
from agentguard.core.language import (
    Date,
    Declared,
    Duration,
    ListOf,
    Money,
    OneOf,
    Record,
    Table,
    Text,
    Time,
    Type,
    YesNo,
)
from agentguard.core.policy import Policy, Route
from agentguard.core.prose import action_words
from agentguard.core.reviews import Sampling
from agentguard.core.values import duration_words


def people_section(policy: Policy) -> Iterator[Section]:
    """Yield who decides what the agent may not do alone."""
    if not policy.routes:
        return
    columns = ("who", "how many", "by when", "if nobody does in time")
    rows = tuple(_route(route) for route in policy.routes.values())
    notes = tuple(item for route in policy.routes.values() for item in _about_route(route))
    powers = Paragraph(
        "Where nothing else is said, who decides may lower an amount that was asked for, and change nothing else."
    )
    yield Section("Who decides", (Grid(("route", *columns), rows), powers, *((Points(notes),) if notes else ())))


def _route(route: Route) -> tuple[str, ...]:
    people = "1 person" if route.people == 1 else f"{route.people} different people"
    late = "it is refused" if route.if_late is None else f"it goes to {late_words(route)}"
    return f"`{route.id}`", list_words(route.who, "or"), people, f"within {within_words(route.within)}", late


def _about_route(route: Route) -> Iterator[Item]:
    if route.remind is not None:
        yield Item(f"`{route.id}`: they are reminded {within_words(route.remind)} before the time is over")
    if route.hold:
        yield Item(f"`{route.id}`: what waits keeps its place in the limits")
    if route.reason_codes:
        yield Item(f"`{route.id}`: a decision gives one of these reasons: {list_words(route.reason_codes, 'or')}")
    if route.may_change is not None:
        less = f"{list_words(route.may_change)}, an amount or a number only to less" if route.may_change else "nothing"
        yield Item(f"`{route.id}`: who decides may change {less}")


def terms_section(policy: Policy) -> Iterator[Section]:
    """Yield what the terms in quotes mean."""
    if not policy.names:
        return
    blocks: list[Block] = [Paragraph("Where one of these stands in quotes, it means this:")]
    rows = tuple((defined(name), capital(expression_words(item))) for name, item in policy.names.items())
    yield Section("Terms", (*blocks, Grid(("", ""), rows)))


def tables_section(policy: Policy) -> Iterator[Section]:
    """Yield the tables that are looked up."""
    sections = tuple(Section(defined(name), (_grid(table),)) for name, table in policy.tables.items())
    if sections:
        yield Section("Tables", sections)


def _grid(table: Table) -> Grid:
    entries = table.entries
    if table.levels == 2:
        columns = tuple(dict.fromkeys(key for inner in entries.values() if isinstance(inner, Mapping) for key in inner))
        rows = tuple((key, *(_cell(table, key, column) for column in columns)) for key in entries)
        return Grid(("", *columns), rows)
    return Grid(("for", "it is"), tuple(_rows(entries, ())))


def _cell(table: Table, *keys: str) -> str:
    found = table.get(keys)
    return "–" if found is None else value_words(found)


def _rows(entries: Mapping[str, object], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, inner in entries.items():
        if isinstance(inner, Mapping):
            yield from _rows(inner, (*keys, key))
        else:
            yield ", ".join((*keys, key)), value_words(inner)  # type: ignore[arg-type]


def calendars_section(policy: Policy) -> Iterator[Section]:
    """Yield when is when."""
    if policy.calendars:
        rows = tuple((defined(name), calendar_words(item, policy.zone_name)) for name, item in policy.calendars.items())
        yield Section("Calendars", (Grid(("", ""), rows),))


def promises_section(policy: Policy) -> Iterator[Section]:
    """Yield what holds for every request that there can be."""
    if not policy.guarantees:
        return
    intro = (
        "These hold for every request that there can be, whatever else is in this policy; `agentguard policy prove` "
        "shows it or finds the request that breaks one."
    )
    rows = tuple(Item(f"`{item.id}`: {promise_words(item)}{_only(policy, item.on)}") for item in policy.guarantees)
    yield Section("Promises", (Paragraph(intro), Points(rows)))


def _only(policy: Policy, on: frozenset[str]) -> str:
    only = only_for(policy, on)
    return f" (only for: {only})" if only else ""


def after_section(policy: Policy) -> Iterator[Section]:
    """Yield what happens around a decision: witnesses, contests, reviews, how long records are kept."""
    blocks: list[Block] = []
    if policy.witness is not None:
        begin = "It is carried out only after a witness outside has seen the record of it"
        only = only_for(policy, policy.witness.on)
        blocks += [*asked(begin + (f" ({only})" if only else ""), policy.witness.when)]
    points = [*_contest(policy), *([Item(review_words(policy.review))] if policy.review else []), *_kept(policy)]
    points += [Item(f"Reports tell apart by: {list_words(policy.segments)}")] if policy.segments else []
    if points:
        blocks.append(Points(tuple(points)))
    if blocks:
        yield Section("Around a decision", tuple(blocks))


def _contest(policy: Policy) -> Iterator[Item]:
    contest = policy.contest
    if contest is None:
        return
    within = f" and have {within_words(contest.within)}" if contest.within else ""
    yield Item(
        f"A customer who was refused may contest that for {duration_words(contest.open_for)}: people of "
        f"`{contest.to}` who have not seen the case decide{within}."
    )


def review_words(item: Sampling) -> str:
    """Return what people look at afterwards."""
    share = f"People look afterwards at {Decimal(item.share) / 1_000:f} percent of what was decided without a person"
    least = f", at least {item.least} a {item.period}" if item.least else ""
    kinds = f"{' of each' if item.least else ', told apart by'} {list_words(item.by)}" if item.by else ""
    return f"{share}{least}{kinds}."


def _kept(policy: Policy) -> Iterator[Item]:
    if policy.retention is None:
        return
    for name, period in policy.retention.by_action.items():
        yield Item(f"Records of {action_words(name)} are kept for {period}.")
    if policy.retention.otherwise is not None:
        others = "other records" if policy.retention.by_action else "records"
        yield Item(f"{capital(others)} are kept for {policy.retention.otherwise}.")


def inputs_section(policy: Policy) -> Iterator[Section]:
    """Yield what is asked for and what is known, and of what kind it is."""
    rows: dict[str, tuple[str, ...]] = {}
    for spec in policy.actions.values():
        for name, declared in spec.arguments.items():
            source = "this policy" if declared.computed else "the agent, so it may be wrong"
            rows[name] = _input(name, declared, source)
    for name, declared in policy.facts.items():
        rows[name] = _input(name, declared, "our own records")
    for name, declared in policy.context.items():
        rows[name] = _input(name, declared, "the application around the agent")
    if rows:
        columns = ("name", "what it is", "who says it", "kind", "remarks")
        records = tuple(Item(_record(record)) for record in policy.records.values())
        blocks: list[Block] = [Grid(columns, tuple(rows.values())), *([Points(records)] if records else [])]
        yield Section("What is asked for and what is looked at", tuple(blocks))


def _record(record: Record) -> str:
    """Return what stands in a record of one type."""
    fields = (
        f"`{name}` ({kind_words(field.type)}{', may be missing' if field.optional else ''})"
        for name, field in record.fields.items()
    )
    return f"A record (`{record.name}`) has {list_words(fields)}."


def _input(name: str, declared: Declared, source: str) -> tuple[str, ...]:
    remarks = ["may be missing"] if declared.optional else []
    remarks += ["personal, kept encrypted for each customer"] if declared.personal else []
    remarks += [f"older than {duration_words(declared.max_age)} counts as missing"] if declared.max_age else []
    remarks += [f"worked out as {defined(declared.computed)}"] if declared.computed else []
    noun = read_noun(name, declared.type).text
    return f"`{name}`", noun, source, kind_words(declared.type), "; ".join(remarks) or "–"


def kind_words(kind: Type) -> str:
    """Return what kind of value a type is."""
    match kind:
        case Money(currencies, any_sign):
            return f"an amount in {list_words(currencies, 'or')}{', of any sign' if any_sign else ''}"
        case OneOf(values):
            return f"one of {list_words(map(value_words, values), 'or')}"
        case ListOf(item):
            return f"a list: each {kind_words(item).removeprefix('a ').removeprefix('an ')}"
        case Record(name):
            return f"a record (`{name}`)"
        case YesNo():
            return "yes or no"
        case Text():
            return "a text"
        case Date():
            return "a day"
        case Time():
            return "an instant"
        case Duration():
            return "a length of time"
        case _:
            return {"integer": "a whole number"}.get(str(kind), "a number")
