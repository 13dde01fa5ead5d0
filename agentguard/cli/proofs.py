"""`agentguard policy prove`: what policies promise, for every request that there can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.solver import require_solver
from agentguard.cli import exits
from agentguard.cli.files import Kind, files_of
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.core.digest import encode
from agentguard.core.language import Value
from agentguard.core.limits import COUNT, in_unit
from agentguard.core.policy import Bundle, Policy, Verdict
from agentguard.core.prose import name_words
from agentguard.core.request import ActorKind, FactStatus
from agentguard.core.values import value_text
from agentguard.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from agentguard.analysis.proving import Largest, Proof
    from agentguard.analysis.sequences import Sequence
    from agentguard.analysis.symbolic.search import Example

STYLES = {"holds": "green", "shown": "green", "broken": "bold red", "impossible": "bold red", "undecided": "yellow"}
MEANING = {
    "holds": "kept, whatever is asked",
    "shown": "kept: this request is an example",
    "broken": "broken: what follows breaks it",
    "impossible": "broken: no request at all gets this",
    "undecided": "not proved: no request was found that breaks it, and none could be ruled out",
}
MOST_RUNS = 6
"""So many kinds of requests of a sequence are told of."""


def prove(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Policy files, or folders of them, that are in force together.", metavar="PATH…"),
    ],
    promise: Annotated[
        list[str] | None,
        typer.Option("--promise", help="Prove this instead, like `never allow when amount > 50`; repeatable."),
    ] = None,
    action: Annotated[str | None, typer.Option(help="Only for this action, like `refund.issue`.")] = None,
    largest: Annotated[
        str | None,
        typer.Option("--max", help="The largest value of this argument or fact with which --verdict comes out."),
    ] = None,
    verdict: Annotated[str, typer.Option(help="With --max: `allow`, `escalate` or `deny`.")] = "allow",
    json: JsonOption = False,
) -> None:
    """Prove what policies promise for every possible request, or show the request that breaks it: exit code 1."""
    require_solver("proofs")
    bundle, tried = _as_enforced(
        policyfile.bundle_of(
            [policy for path, kind in files_of(paths) if kind is Kind.POLICY for policy in policyfile.load_files(path)]
        )
    )
    actions = _actions(bundle, action)
    if largest is not None:
        _print_largest(bundle, actions, largest, verdict, json=json)
        return
    from agentguard.analysis.proving import prove as proved

    asked = [_promised(bundle, text, action) for text in promise or ()]
    output = None if json else Output()
    if output is not None and not asked:
        for policy in (policy for item in tried for policy in item.policies):
            output.line(f"`{policy.name}` is in shadow mode: looked at by itself, as if it were enforced")
    proofs = []
    for proof in (proof for item in (asked or [bundle, *tried]) for proof in proved(item, actions)):
        proofs.append(proof)
        if output is not None:
            _print(output, proof)
    if output is None:
        print_json([document(proof) for proof in proofs])
    else:
        output.line(_sum(proofs))
    if not all(proof.kept for proof in proofs):
        raise typer.Exit(exits.FOUND)


def _actions(bundle: Bundle, action: str | None) -> tuple[str, ...]:
    if action is None:
        return bundle.actions()
    if not bundle.governing(action):
        raise UsageError(f"expected one of {', '.join(bundle.actions())} for --action, got `{action}`")
    return (action,)


def _as_enforced(bundle: Bundle) -> tuple[Bundle, tuple[Bundle, ...]]:
    """Return what is looked at together, and each file in shadow mode by itself, as if it were enforced.

    Where none is enforced they are looked at together, as if all were.
    """
    shadows = [policy for policy in bundle.policies if policy.shadow]
    tried = tuple(replace(policy, shadow=False) for policy in shadows)
    if len(shadows) == len(bundle.policies):
        return Bundle(tried, bundle.digest), ()
    return bundle, tuple(Bundle((policy,), bundle.digest) for policy in tried if policy.guarantees)


def _promised(bundle: Bundle, text: str, action: str | None) -> Bundle:
    """Return the policies with one promise and no other; the first enforced file that can say it says it."""
    problems: PolicyError | None = None
    for policy in bundle.policies if action is None else bundle.governing(action):
        if policy.shadow:
            continue
        try:
            guarantee = policyfile.load_promise(policy, text)
        except PolicyError as error:
            problems = problems or error
            continue
        if action is not None:
            guarantee = replace(guarantee, on=frozenset({action}))
        said: list[Policy] = [
            replace(item, guarantees=(guarantee,) if item is policy else ()) for item in bundle.policies
        ]
        return Bundle(tuple(said), bundle.digest)
    if problems is None:
        raise UsageError("expected a policy to prove something about, got none")
    first = problems.problems[0]
    raise UsageError(f"`{text}` cannot be proved here: {first.message}")


def _print(output: Output, proof: Proof) -> None:
    output.line(f"{proof.id} ({proof.action})", style="bold")
    output.sentence(proof.text, indent=2)
    output.line(f"  {MEANING[proof.outcome]}", style=STYLES[proof.outcome])
    if proof.outcome == "undecided":
        for text in proof.open:
            output.sentence(f"left open: {text}", indent=4)
    if proof.because:
        output.sentence(proof.because, indent=4)
    if proof.sequence is not None:
        for line in _sequence_words(proof.sequence):
            output.sentence(line, indent=4)
        output.pairs(told(proof.sequence.requests[-1]), indent=4)
    if proof.example is not None:
        output.pairs(told(proof.example), indent=4)


def _sequence_words(sequence: Sequence) -> Iterator[str]:
    """Yield what the requests of a sequence are, alike ones together, and what they come to; the last one is shown."""
    runs = [
        (request, amount, len(list(alike)))
        for (request, amount), alike in groupby(
            zip((example.request.action for example in sequence.requests), sequence.amounts, strict=True)
        )
    ]
    for action, amount, times in runs[:MOST_RUNS]:
        each = "" if sequence.unit == COUNT else f" of {value_text(in_unit(amount, sequence.unit))}"
        yield f"{times} × {action}{each}, allowed without a person"
    if len(runs) > MOST_RUNS:
        yield f"and so on: {len(sequence.requests)} requests in all"
    total, most = (value_text(in_unit(amount, sequence.unit)) for amount in (sequence.total, sequence.most))
    yield f"together {total}, which is more than {most}; the last of them:"


def _sum(proofs: list[Proof]) -> str:
    kept = sum(proof.kept for proof in proofs)
    if not proofs:
        return "no promises: write them under `guarantees`, or give one with --promise"
    return f"{kept} of {len(proofs)} promises are kept for every possible request"


def told(example: Example) -> Iterator[tuple[str, str]]:
    """Yield a request in words: what is asked, what is known and used, and what is decided by whom."""
    request, evidence, decision = example.request, example.evidence, example.decision
    for name, value in request.arguments.items():
        yield "asked", f"{name_words(name)} {_words(value)}"
    if request.actor.kind is not ActorKind.AGENT:
        yield "by", f"a {request.actor.kind}"
    yield "for", request.on_behalf_of or "nobody"
    for name, value in request.context.items():
        yield "said", f"{name_words(name)} {_words(value)}"
    for name, fact in evidence.facts.items():
        if fact.status is FactStatus.VALUE and fact.value is not None:
            yield "known", f"{name_words(name)} {_words(fact.value)}"
        elif fact.status is FactStatus.FAILED:
            yield "known", f"{name_words(name)}: the lookup failed"
    for check in decision.limits:
        used, adds = (value_text(in_unit(amount, check.unit)) for amount in (check.used, check.amount))
        most = "not known" if check.max is None else value_text(in_unit(check.max, check.unit))
        yield "used", f"{check.limit}: {used} used, this adds {adds}, of {most}"
    for requirement in decision.requirements:
        done = "it happened" if requirement.entry is not None else "it did not happen"
        yield "first", f"{requirement.requirement}: {done}"
    asked = "" if request.asked_at == evidence.now else f", asked for at {_words(request.asked_at)}"
    yield "at", f"{_words(evidence.now)}{asked}"
    sources = dict.fromkeys(reason.source for reason in decision.reasons if reason.verdict is decision.verdict)
    yield "decided", f"{decision.verdict}, by {', '.join(sources)}"


def _words(value: Value) -> str:
    """Return a value as a person would write it, with every time in it alike."""
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case tuple():
            return ", ".join(map(_words, value))
        case Mapping():
            return "{" + ", ".join(f"{name}: {_words(item)}" for name, item in value.items()) + "}"
        case _:
            return value_text(value)


def _print_largest(bundle: Bundle, actions: tuple[str, ...], name: str, verdict: str, *, json: bool) -> None:
    from agentguard.analysis.proving import largest

    if verdict not in ("allow", "escalate", "deny"):
        raise UsageError(f"expected `allow`, `escalate` or `deny` for --verdict, got `{verdict}`")
    wanted = Verdict[verdict.upper()]
    having = [action for action in actions if _has(bundle, action, name)]
    if not having:
        raise UsageError(f"expected an argument or a fact for --max, got `{name}`, which no action has")
    found = {action: largest(bundle, action, name, wanted) for action in having}
    if json:
        print_json({action: _largest_document(item) for action, item in found.items()})
        return
    output = Output()
    for action, item in found.items():
        output.line(_largest_words(action, item))
        if item.example is not None:
            output.pairs(told(item.example), indent=4)


def _has(bundle: Bundle, action: str, name: str) -> bool:
    policies = bundle.governing(action)
    return any(name in policy.actions[action].arguments or name in policy.facts for policy in policies)


def _largest_words(action: str, item: Largest) -> str:
    if item.value is None:
        return f"{action}: {item.verdict} never comes out"
    least = "" if item.exact else "at least "
    return f"{action}: the largest {name_words(item.name)} with {item.verdict} is {least}{value_text(item.value)}"


def _largest_document(item: Largest) -> dict[str, Any]:
    return {
        "name": item.name,
        "verdict": str(item.verdict),
        "value": None if item.value is None else encode(item.value),
        "exact": item.exact,
        "example": None if item.example is None else example_document(item.example),
    }


def document(proof: Proof) -> dict[str, Any]:
    """Return a proof as JSON."""
    return {
        "guarantee": proof.id,
        "action": proof.action,
        "promise": proof.text,
        "outcome": str(proof.outcome),
        "kept": proof.kept,
        "open": list(proof.open),
        "example": None if proof.example is None else example_document(proof.example),
        "because": proof.because,
        "sequence": None if proof.sequence is None else _sequence_document(proof.sequence),
    }


def _sequence_document(sequence: Sequence) -> dict[str, Any]:
    return {
        "requests": [
            {"action": example.request.action, "adds": amount} | example_document(example)
            for example, amount in zip(sequence.requests, sequence.amounts, strict=True)
        ],
        "total": sequence.total,
        "most": sequence.most,
        "unit": sequence.unit,
    }


def example_document(example: Example) -> dict[str, Any]:
    """Return a request with what it rests on, and its decision, as JSON."""
    request, evidence, decision = example.request, example.evidence, example.decision
    return {
        "arguments": {name: encode(value) for name, value in request.arguments.items()},
        "on_behalf_of": request.on_behalf_of,
        "context": {name: encode(value) for name, value in request.context.items()},
        "facts": {
            name: {"status": str(fact.status), "value": None if fact.value is None else encode(fact.value)}
            for name, fact in evidence.facts.items()
        },
        "usage": {name: {"held": item.held, "settled": item.settled} for name, item in evidence.usage.items()},
        "history": {name: entry is not None for name, entry in evidence.history.items()},
        "now": evidence.now.isoformat(),
        "verdict": str(decision.verdict),
        "reasons": [{"code": reason.code, "source": reason.source} for reason in decision.reasons],
    }
