"""`agentguard policy explain`: a policy in plain words, or why one request is decided as it is."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.situation import Staging
from agentguard.cli import summaries
from agentguard.cli.opened import DEFAULT_POLICIES, DEFAULT_STORE, JsonOption, StoreOption, open_reading
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.core.cases import CaseFile
from agentguard.core.digest import encode
from agentguard.core.explain import Explanation, RuleExplanation, sentence
from agentguard.core.explain import explain as explain_decision
from agentguard.core.plan import plan_action
from agentguard.errors import PolicyError, UsageError

ANSWERS = {True: "yes", False: "no", None: "not known"}


def explain(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Policy files or folders.", metavar="[PATH…]", envvar="AGENTGUARD_POLICIES", show_default=False
        ),
    ] = None,
    entry: Annotated[int | None, typer.Option("--entry", help="Why this entry was decided so.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Why this action was decided so, by its id.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="Why a request would be decided so: a JSON file.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Say in plain words what policies say, or why one request is decided as it is."""
    if sum(item is not None for item in (entry, action, request)) > 1:
        raise UsageError("expected one of --entry, --action and --request, got several")
    if entry is not None or action is not None:
        _explain_entry(store, entry, action, json=json)
    elif request is not None:
        _print_explanation(_of_request(request, paths or [DEFAULT_POLICIES]), (), json=json)
    else:
        bundle = policyfile.load(paths or [DEFAULT_POLICIES])
        if json:
            print_json([summaries.document(policy) for policy in bundle.policies])
            return
        output = Output()
        for number, policy in enumerate(bundle.policies):
            if number:
                output.line()
                output.line()
            summaries.show(output, policy)


def _explain_entry(store: str, entry: int | None, action: str | None, *, json: bool) -> None:
    guard = open_reading(store)
    position = entry if entry is not None else guard.audit.action(action or "").decision_entry
    if position is None or (action is not None and guard.audit.show(position).kind != "decided"):
        raise UsageError(f"action `{action}` was refused before any rule was asked; see `agentguard actions show`")
    found = guard.audit.explain(position)
    _print_explanation(found.explanation, found.erased, json=json, position=position)


def _of_request(path: Path, paths: list[Path]) -> Explanation:
    """Decide a request that a file describes, by the policies alone: facts and usage are what the file says.

    Raises:
        UsageError: The file cannot be read, or does not fit the policies.
    """
    bundle = policyfile.load(paths)
    case = _case(path).cases[0]
    policies = bundle.governing(case.action)
    if not policies:
        raise UsageError(f"no policy governs `{case.action}`; the actions are {', '.join(bundle.actions())}")
    plan = plan_action(bundle, case.action)
    staging = Staging(plan, policies, case.situation, frozenset(case.situation.values))
    staged = staging.stage()
    if staged is None:
        wrong = "; ".join(dict.fromkeys((*staging.mistakes, *staging.invalid)))
        raise UsageError(f"{path}: {wrong.replace('the case', 'the request')}")
    return explain_decision(plan, *staged)


def _case(path: Path) -> CaseFile:
    try:
        document = json_text.loads(path.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    except OSError as error:
        raise UsageError(f"expected a file that can be read, got `{path}`: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"expected a JSON file, got `{path}`: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(
            f'expected an object like {{"do": "refund.issue", "with": {{…}}}} in `{path}`, got another value'
        )
    case = {**_texts(document), "name": "request", "expect": "deny"}
    text = json_text.dumps({"test": "request", "cases": [case]}, ensure_ascii=False)
    try:
        return policyfile.load_cases_text(text, str(path))
    except PolicyError as error:
        raise UsageError("; ".join(f"{path}: {problem.message}" for problem in error.problems)) from error


def _texts(value: Any) -> Any:
    """Return JSON with every scalar as the text that a policy's author would write."""
    if isinstance(value, dict):
        return {name: _texts(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _print_explanation(
    explanation: Explanation, erased: tuple[str, ...], *, json: bool, position: int | None = None
) -> None:
    decision = explanation.decision
    automatic = sentence(explanation)
    if json:
        print_json(
            {
                "entry": position,
                "verdict": str(decision.verdict),
                "approved": decision.approved,
                "matched": list(decision.matched),
                "say": decision.say,
                "rules": [_rule_document(rule) for rule in explanation.rules],
                "closest": None if explanation.closest is None else explanation.closest.id,
                "changes": list(explanation.changes),
                "automatic_up_to": _automatic(explanation),
                "erased": list(erased),
            }
        )
        return
    output = Output()
    approved = " (approved by votes)" if decision.approved else ""
    output.line(f"{decision.verdict}{approved}", style=f"bold {verdict_text(str(decision.verdict)).style}")
    if decision.say:
        output.line(f"customer hears: {decision.say}")
    output.line()
    output.line("holds     rule", style="dim")
    for rule in explanation.rules:
        output.line(f"{ANSWERS[rule.holds]:<9} {rule.id}: {rule.then}", style="bold" if rule.holds else "")
        for comparison in rule.comparisons:
            output.prose(str(comparison), indent=10)
    for number, text in enumerate(((automatic,) if automatic else ()) + explanation.changes):
        if not number:
            output.line()
            output.line("what would have had to be different", style="bold")
        output.prose(text, indent=2)
    if erased:
        output.line(f"erased, and so not known any more: {', '.join(erased)}", style="yellow")


def _rule_document(rule: RuleExplanation) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "file": rule.place.file,
        "line": rule.place.line,
        "then": str(rule.then),
        "holds": rule.holds,
        "comparisons": [
            {"text": item.text, "result": item.result, "values": str(item), "blocking": item.blocking}
            for item in rule.comparisons
        ],
    }


def _automatic(explanation: Explanation) -> dict[str, Any] | None:
    if explanation.automatic_up_to is None:
        return None
    name, value = explanation.automatic_up_to
    return {"argument": name, "value": encode(value)}
