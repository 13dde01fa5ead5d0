"""`agentguard policy simulate` and `compare`: what other policies would have meant for what was asked already."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.simulating import Case, Cell, Simulation, money_words
from agentguard.analysis.simulating_requests import simulate_requests
from agentguard.cli.audit import moment_of
from agentguard.cli.canaries import show_groups
from agentguard.cli.files import Kind, files_of
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.spreadsheet import require_new, table_in
from agentguard.core.money import Money
from agentguard.core.policy import Bundle, Policy, Verdict
from agentguard.core.prose import moment, span
from agentguard.engine.guard import Guard
from agentguard.engine.observing import STARTED
from agentguard.errors import UsageError

VERDICTS = (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY)
NO_REQUESTS = "nothing to decide: no requests in this time, or none that these policies speak of"
NO_SHADOW = "nothing to compare: nothing was decided in this time beside a policy with `mode: shadow`"
NOTHING_OBSERVED = "nothing to compare: nothing was decided in this time by a guard that only observes (`observe=True`)"
MOST_CAUSES = 10
COLUMNS = ("place", "at", "action_id", "action", "customer", "worth", "old", "new", "why_old", "why_new")

SinceOption = Annotated[str | None, typer.Option(help="Decided from then on: `2026-11-20` or `30 days`.")]
UntilOption = Annotated[str | None, typer.Option(help="Decided until then.")]
TableOption = Annotated[
    Path | None, typer.Option("--csv", help="Write every request whose verdict changes to this new file.")
]
Told = Callable[[Case], None] | None
Progress = Callable[[int, int], None]


def simulate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="The changed policies: a folder is all that would be in force, a file replaces its namesake.",
            metavar="PATH…",
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    requests: Annotated[
        Path | None, typer.Option(help="Requests of the past as `.csv` or `.jsonl`, in place of the store's record.")
    ] = None,
    policies: Annotated[
        Path | None, typer.Option(help="With --requests: what was in force, where the file says no verdict.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    csv: TableOption = None,
    json: JsonOption = False,
) -> None:
    """Decide the recorded past again under changed policies, with every budget as it would have stood."""
    require_new(csv)
    given = [policy for path, kind in files_of(paths) if kind is Kind.POLICY for policy in policyfile.load_files(path)]
    if requests is not None:
        if since is not None or until is not None:
            raise UsageError("expected --since and --until with the store's record alone; cut the file instead")
        old = None if policies is None else policyfile.load(policies)
        new = _in_place(given, old, paths)
        with _told(csv) as tell, _progress(quiet=json) as progress:
            size = requests.stat().st_size if requests.is_file() else 0
            found = simulate_requests(requests, new, old, progress=lambda read: progress(read, size), tell=tell)
        _print(found, csv, "line", NO_REQUESTS, json=json)
        return
    if policies is not None:
        raise UsageError("expected --policies with --requests alone: the store's record says what was in force")
    guard = open_reading(store)
    new = _in_place(given, _in_force(guard), paths)
    with _told(csv) as tell, _progress(quiet=json) as progress:
        found = guard.audit.simulate(new, **_window(since, until), progress=progress, tell=tell)
    _print(found, csv, "entry", NO_REQUESTS, json=json)


def compare(
    store: StoreOption = DEFAULT_STORE,
    since: SinceOption = None,
    until: UntilOption = None,
    csv: TableOption = None,
    observed: Annotated[
        bool, typer.Option("--observed", help="What would have been enforced while guards only observed.")
    ] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="How the customers of a canary were decided, beside the others.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what policies in shadow mode would have decided, from the verdicts recorded beside the enforced ones."""
    require_new(csv)
    guard = open_reading(store)
    if canary:
        if observed or csv is not None:
            raise UsageError("expected --canary alone, or with --since, --until or --json")
        with _progress(quiet=json) as progress:
            both = guard.canary.groups(**_window(since, until), progress=progress)
        show_groups(guard, both, json=json)
        return
    ask = guard.audit.observed if observed else guard.audit.shadowed
    with _told(csv) as tell, _progress(quiet=json) as progress:
        found = ask(**_window(since, until), progress=progress, tell=tell)
    _print(found, csv, "entry", NOTHING_OBSERVED if observed else NO_SHADOW, json=json)
    if not (json or observed or found.requests) and guard.audit.list(kind=STARTED, limit=1):
        Output().line(
            "guards have only observed: `agentguard policy compare --observed` says what they would have enforced"
        )


def _window(since: str | None, until: str | None) -> dict[str, Any]:
    return {
        "since": None if since is None else moment_of(since),
        "until": None if until is None else moment_of(until),
    }


def _in_force(guard: Guard) -> Bundle | None:
    record = guard.store.read(lambda reading: reading.bundle_in_force())
    return None if record is None else guard.audit.bundle(record.digest)


def _in_place(given: list[Policy], old: Bundle | None, paths: list[Path]) -> Bundle:
    """Return what would be in force: files take the place of their namesakes, a folder that of everything."""
    if not given:
        raise UsageError("expected a policy, got none")
    names = {policy.name for policy in given}
    whole = old is None or any(path.is_dir() for path in paths)
    kept = [] if whole or old is None else [policy for policy in old.policies if policy.name not in names]
    return policyfile.bundle_of([*kept, *given])


@contextmanager
def _told(csv: Path | None) -> Iterator[Told]:
    """Give what writes each changed request to the file, or nothing."""
    if csv is None:
        yield None
        return
    with table_in(csv, COLUMNS) as table:
        yield lambda case: table.row([_cell(case, name) for name in COLUMNS])


def _cell(case: Case, name: str) -> str:
    value = getattr(case, name)
    if name == "at":
        return str(value.isoformat())
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """Give what shows how far it is; nothing is shown where nobody sees it."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _every: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the past", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)


def _print(found: Simulation, csv: Path | None, place: str, nothing: str, *, json: bool) -> None:
    if json:
        print_json(document(found))
        return
    output = Output()
    if not found.requests:
        output.sentence(nothing)
        return
    output.line(found.sentence, style="bold")
    output.line(f"of {found.requests:,} requests, {moment(found.first)} to {moment(found.last)} UTC")
    _print_matrix(output, found)
    if found.changed:
        _print_meaning(output, found)
        _print_examples(output, found, place)
    if found.uncertain:
        output.line()
        output.heading(f"not known for {found.uncertain:,} requests, which are in no number above")
        output.pairs((f"{count:,}", why) for why, count in found.unknown.items())
    if found.changed and found.assumptions:
        output.line()
        output.heading("assumed")
        for sentence in found.assumptions:
            output.prose(sentence, indent=2)
    if csv is not None:
        output.line(f"every change is in {csv}")


def _print_matrix(output: Output, found: Simulation) -> None:
    rows = []
    for old in VERDICTS:
        cells = [found.matrix.get((old, new), Cell()) for new in VERDICTS]
        if any(cell.count for cell in cells):
            rows.append((f"was {old}", *(_cell_words(cell) for cell in cells)))
    if not rows:
        return
    output.line()
    output.table(("", *(f"now {new}" for new in VERDICTS)), rows)


def _cell_words(cell: Cell) -> str:
    if not cell.count:
        return "-"
    return f"{cell.count:,}" + (f" ({money_words(cell.worth)})" if cell.worth else "")


def _print_meaning(output: Output, found: Simulation) -> None:
    output.line()
    people = found.people
    output.line(f"customers: {found.customers:,} with some request decided otherwise")
    if people.escalations:
        how = "more" if people.escalations > 0 else "fewer"
        rest = "an assumption: nobody's time is recorded" if people.assumed else "the median of the record"
        output.line(
            f"people: {abs(people.escalations):,} {how} to decide, {abs(people.hours):,.1f} hours "
            f"{'added' if people.hours > 0 else 'saved'} at {span(people.each.total_seconds())} each ({rest})"
        )
    if people.waited is not None:
        output.line(f"customers waited {span(people.waited.total_seconds())} for people's answer (median)")
    causes = list(found.causes.items())[:MOST_CAUSES]
    output.line()
    output.heading("what decides now")
    output.table(
        ("changed", "was", "now", "because of"),
        [(f"{count:,}", str(old), str(new), source) for (old, new, source), count in causes],
        right=("changed",),
    )


def _print_examples(output: Output, found: Simulation, place: str) -> None:
    output.line()
    output.heading("examples: the first of each kind, and the largest")
    rows = [
        (
            case.place,
            moment(case.at),
            case.action,
            case.worth or "",
            f"{case.old} to {case.new}",
            ", ".join(case.why_new),
        )
        for case in found.examples
    ]
    output.table((place, "at (UTC)", "action", "worth", "verdict", "because of"), rows, right=(place, "worth"))


def document(found: Simulation) -> dict[str, Any]:
    """Return a simulation as JSON; money is text by currency."""
    people = found.people
    return {
        "sentence": found.sentence,
        "requests": found.requests,
        "changed": found.changed,
        "first": None if found.first is None else found.first.isoformat(),
        "last": None if found.last is None else found.last.isoformat(),
        "matrix": [
            {"old": str(old), "new": str(new), "count": cell.count, "worth": _worth(cell)}
            for (old, new), cell in sorted(found.matrix.items())
        ],
        "customers": found.customers,
        "people": {
            "escalations": people.escalations,
            "seconds_each": int(people.each.total_seconds()),
            "assumed": people.assumed,
            "hours": round(people.hours, 1),
            "waited_seconds": None if people.waited is None else int(people.waited.total_seconds()),
        },
        "causes": [
            {"old": str(old), "new": str(new), "source": source, "count": count}
            for (old, new, source), count in found.causes.items()
        ],
        "examples": [
            {name: getattr(case, name) if name.startswith("why") else _cell(case, name) for name in COLUMNS}
            for case in found.examples
        ],
        "uncertain": found.uncertain,
        "unknown": dict(found.unknown),
        "assumptions": list(found.assumptions),
    }


def _worth(cell: Cell) -> dict[str, str]:
    return {currency: str(Money(minor, currency)).partition(" ")[0] for currency, minor in cell.worth.items()}
