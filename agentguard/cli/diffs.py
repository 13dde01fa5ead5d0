"""`agentguard policy diff`: what a change of policies means, in words, in requests, and proved."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.changes.difference import Difference, Direction
from agentguard.analysis.diffing import Whole, diff
from agentguard.analysis.solver import HOW
from agentguard.cli import exits
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.proofs import example_document, told
from agentguard.cli.revisions import bundle_at, bundle_before
from agentguard.core.digest import encode
from agentguard.core.policy import Bundle
from agentguard.errors import UsageError

if TYPE_CHECKING:
    from agentguard.analysis.comparing import Change, Comparison, Silent
    from agentguard.analysis.symbolic.search import Example

MEANING = {
    Direction.SAME: "same: an agent does by itself what it did before",
    Direction.LOOSER: "looser: an agent does more by itself than before",
    Direction.TIGHTER: "tighter: an agent does less by itself than before",
    Direction.MIXED: "mixed: an agent does more by itself in some cases, and less in others",
}
STYLES = {
    Direction.SAME: "bold green",
    Direction.LOOSER: "bold red",
    Direction.TIGHTER: "bold yellow",
    Direction.MIXED: "bold red",
}
EFFECTS = {"loosens": "red", "tightens": "yellow", "either": "red", "neither": "dim"}


class FailOn(enum.StrEnum):
    """What makes the exit code 1."""

    ANY = "any"
    DECISIONS = "decisions"
    LOOSER = "looser"


def compare(
    versions: Annotated[
        list[str],
        typer.Argument(
            help="Two files, folders, or such at a git revision (`main:policies`); one alone: with its last commit.",
            metavar="[OLD] NEW",
        ),
    ],
    rev: Annotated[
        str | None,
        typer.Option(
            "--rev", help="With one path: compare it with this git revision of it; the last commit when left out."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option("--fail-on", help="Exit code 1 on `any` difference, if `decisions` change, or only if `looser`."),
    ] = FailOn.ANY,
    json: JsonOption = False,
) -> None:
    """Say what a change of policies means: in words, which way it goes, and which requests are decided otherwise."""
    old, new = _bundles(versions, rev)
    whole = diff(old, new)
    if json:
        print_json(document(whole, old, new))
    else:
        show(Output(), whole, old, new)
    if fails(whole, fail_on):
        raise typer.Exit(exits.FOUND)


def _bundles(versions: list[str], rev: str | None) -> tuple[Bundle, Bundle]:
    if len(versions) == 1:
        path = Path(versions[0])
        before = bundle_before(path, rev or "HEAD")
        return before, policyfile.load(path)
    if len(versions) != 2 or rev is not None:
        raise UsageError(f"expected OLD and NEW, or one path with --rev, got {len(versions)} paths")
    return bundle_at(versions[0]), bundle_at(versions[1])


def fails(whole: Whole, fail_on: FailOn) -> bool:
    """Return whether a difference is one to fail on; what may be looser counts as such."""
    if fail_on is FailOn.ANY:
        return whole.differs
    if fail_on is FailOn.DECISIONS:
        return whole.decides_otherwise
    return whole.direction in (Direction.LOOSER, Direction.MIXED)


def show(output: Output, whole: Whole, old: Bundle, new: Bundle) -> None:
    """Print a difference for a person."""
    if not whole.differs:
        output.line(whole.summary(), style="bold green")
        return
    output.line(meaning(whole), style=STYLES[whole.direction])
    output.sentence(whole.summary())
    show_said(output, whole, old, new)
    for comparison in whole.decided or ():
        _show_comparison(output, comparison)
    if whole.decided is None:
        output.line()
        output.line(f"which requests are decided otherwise was not looked at: {HOW}", style="yellow")


def meaning(whole: Whole) -> str:
    """Return in a sentence which way a difference goes."""
    if whole.direction is Direction.MIXED and not whole.is_known:
        return "mixed: an agent may do more by itself than before, and that is not known for sure"
    if whole.direction is Direction.LOOSER and not whole.decides_otherwise:
        return "looser: no decision changes, but there is less care around them"
    return MEANING[whole.direction]


def show_said(output: Output, whole: Whole, old: Bundle, new: Bundle) -> None:
    """Print what the files say otherwise, each line with what it does."""
    versions = dict(_versions(old, new))
    for policy, items in groupby(whole.said, key=lambda item: item.policy):
        output.line()
        output.heading(versions[policy])
        for item in items:
            output.sentence(str(item), point=f"  {item.effect:<8}  ", style=EFFECTS[item.effect])
    unchanged = [text for name, text in versions.items() if all(item.policy != name for item in whole.said)]
    for text in unchanged:
        output.line()
        output.heading(text)
        output.line("  only its layout, comments or version change")


def _versions(old: Bundle, new: Bundle) -> Iterator[tuple[str, str]]:
    """Yield the files that are not the same, with their versions."""
    from agentguard.analysis.changes.policies import pairs

    for before, after in pairs(old, new):
        if before is not None and after is not None and before.digest != after.digest:
            versions = f"version {before.version} → {after.version}"
            if before.version == after.version:
                versions = f"version {after.version} (to put it into force, write `version: {after.version + 1}`)"
            yield after.name, f"{after.name}, {versions}"
        elif before is None and after is not None:
            yield after.name, f"{after.name}, version {after.version}: new"
        elif after is None and before is not None:
            yield before.name, f"{before.name}, version {before.version}: removed"


def _show_comparison(output: Output, item: Comparison) -> None:
    if item.direction is Direction.SAME and not item.silent:
        return
    output.line()
    output.heading(item.action)
    if item.added or item.removed:
        output.line(f"  {'can be asked for now' if item.added else 'cannot be asked for any more'}")
        return
    for change in item.changes:
        output.sentence(f"{_change_words(change)}, like this one:", indent=2, style="bold")
        output.pairs(_example(change), indent=4)
    for reach in item.reach:
        if reach.alone:
            text = f"proved: outside of these values of `{reach.name}` every request is decided as before"
            output.sentence(text, indent=2)
    for silent in item.silent:
        _show_silent(output, silent)
    for text in item.open:
        output.sentence(f"not known: whether more changes, because of {text}", indent=2, style="yellow")
    if not item.open:
        rest = "no other verdict changes" if item.changes else "no request at all is decided otherwise"
        output.line(f"  proved: {rest}", style="green")


def _change_words(change: Change) -> str:
    if change.routes is not None:
        was, now = (name.partition("/")[2] or "nobody of this file" for name in change.routes)
        return f"some requests that went to {was} go to {now}"
    said = {"allow": "allowed", "escalate": "escalated", "deny": "denied"}
    return f"some requests that were {said[str(change.old)]} are {said[str(change.new)]}"


def _example(change: Change) -> Iterator[tuple[str, str]]:
    *asked, (_, after) = told(change.after)
    yield from asked
    yield "before", _decided(change.before)
    yield "now", after if change.routes is None else _decided(change.after)


def _decided(example: Example) -> str:
    decision = example.decision
    sources = dict.fromkeys(item.source for item in decision.reasons if item.verdict is decision.verdict)
    routes = f" to {', '.join(item.id for item in decision.routes)}" if decision.routes else ""
    return f"{decision.verdict}{routes}, by {', '.join(sources)}"


def _show_silent(output: Output, silent: Silent) -> None:
    output.sentence(silent_words(silent), indent=2, style="yellow")
    if silent.after is not None:
        *asked, (_, decided) = told(silent.after)
        output.pairs([*asked, ("still", decided)], indent=4)


def silent_words(silent: Silent) -> str:
    """Return why a changed rule changes no decision."""
    if silent.after is None:
        return f"`{silent.rule}` speaks for the same requests as before"
    still, verdict = ", ".join(f"`{name}`" for name in silent.still), silent.after.decision.verdict
    if not silent.still:
        return f"`{silent.rule}` alone changes no decision"
    who = (
        f"{still} still says {verdict} to all of these" if silent.always else f"others still decide them, like {still}"
    )
    return f"`{silent.rule}` alone changes no decision: {who}"


def document(whole: Whole, old: Bundle, new: Bundle) -> dict[str, Any]:
    """Return a difference as JSON."""
    return {
        "direction": str(whole.direction),
        "differs": whole.differs,
        "decides_otherwise": whole.decides_otherwise,
        "summary": whole.summary(),
        "old": old.digest,
        "new": new.digest,
        "said": [_said_document(item) for item in whole.said],
        "decided": None if whole.decided is None else [_comparison_document(item) for item in whole.decided],
    }


def _said_document(item: Difference) -> dict[str, Any]:
    return {
        "policy": item.policy,
        "part": item.part,
        "id": item.id,
        "text": item.text,
        "effect": str(item.effect),
        "about": str(item.concern),
        "line": item.line or None,
    }


def _comparison_document(item: Comparison) -> dict[str, Any]:
    return {
        "action": item.action,
        "direction": str(item.direction),
        "added": item.added,
        "removed": item.removed,
        "changes": [
            {
                "old": str(change.old),
                "new": str(change.new),
                "direction": str(change.direction),
                "routes": None if change.routes is None else list(change.routes),
                "before": example_document(change.before),
                "after": example_document(change.after),
            }
            for change in item.changes
        ],
        "proved_without": [{"old": str(old), "new": str(new)} for old, new in item.ruled_out],
        "open": list(item.open),
        "silent": [
            {"rule": one.rule, "still": list(one.still), "always": one.always, "words": silent_words(one)}
            for one in item.silent
        ],
        "reach": [
            {
                "name": reach.name,
                "old": None if reach.old.value is None else encode(reach.old.value),
                "new": None if reach.new.value is None else encode(reach.new.value),
                "proved_alone": reach.alone,
            }
            for reach in item.reach
        ],
    }
