"""`agentguard policy explain`: a policy in plain words, or why one request is decided as it is."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.explained.decisions import change_sentences, decision_document
from agentguard.analysis.explained.policies import policy_document
from agentguard.analysis.situation import Staging
from agentguard.analysis.turned import Turned, turned
from agentguard.cli.documents import Format, format_of, save, show, written
from agentguard.cli.options import DEFAULT_POLICIES, DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.summaries import policy_json
from agentguard.core.asked import Input
from agentguard.core.cases import CaseFile
from agentguard.core.digest import encode
from agentguard.core.documents.blocks import Document
from agentguard.core.entry import is_observed
from agentguard.core.explain import Explanation, RuleExplanation
from agentguard.core.explain import explain as explain_decision
from agentguard.core.plan import plan_action
from agentguard.core.policy import Bundle
from agentguard.core.turning import Turn
from agentguard.errors import PolicyError, UsageError

SUFFIX = ".yaml"


def explain(
    policies: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Policy files or folders, or names of policies in `policies`.",
            metavar="[POLICY…]",
            envvar="AGENTGUARD_POLICIES",
            show_default=False,
        ),
    ] = None,
    entry: Annotated[int | None, typer.Option("--entry", help="Why this entry was decided so.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Why this action was decided so, by its id.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="Why a request would be decided so: a JSON file.")
    ] = None,
    written_as: Annotated[
        Format | None, typer.Option("--format", help="What to write; what the name of --output says when left out.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it into this file.", dir_okay=False)
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Say in plain words what policies say, or why one request is decided as it is."""
    if sum(item is not None for item in (entry, action, request)) > 1:
        raise UsageError("expected one of --entry, --action and --request, got several")
    wanted = Format.JSON if json else format_of(written_as, output)
    documents: list[Document]
    content: Any
    if entry is not None or action is not None:
        documents, content = _of_entry(store, entry, action)
    elif request is not None:
        explanation = _of_request(request, policies or [])
        documents, content = _told(explanation, (), None)
    else:
        bundle = _named(policies or [])
        documents, content = [*map(policy_document, bundle.policies)], [*map(policy_json, bundle.policies)]
    _give(documents, content, wanted, output)


def _give(documents: Sequence[Document], content: Any, wanted: Format, file: Path | None) -> None:
    if file is not None:
        text = f"{json_text.dumps(content, indent=2, ensure_ascii=False)}\n"
        save(file, text if wanted is Format.JSON else written(documents, wanted))
    elif wanted is Format.JSON:
        print_json(content)
    elif wanted is Format.TEXT:
        show(Output(), documents)
    else:
        typer.echo(written(documents, wanted), nl=False)


def _named(names: Sequence[Path]) -> Bundle:
    """Load policies by their paths, or by their names among those of `policies`.

    Raises:
        UsageError: There is neither a path nor a policy of that name.
    """
    if not names:
        return policyfile.load([DEFAULT_POLICIES])
    paths: list[Path] = []
    others: list[str] = []
    for name in names:
        beside = (name, DEFAULT_POLICIES / name, DEFAULT_POLICIES / f"{name}{SUFFIX}")
        found = next((path for path in beside if path.exists()), None)
        paths += [found] if found else []
        others += [] if found else [str(name)]
    bundle = policyfile.load(paths) if paths else Bundle((), "")
    if not others:
        return bundle
    if not DEFAULT_POLICIES.exists():
        raise UsageError(f"expected a policy file or a folder, got `{others[0]}`, which is not there")
    whole = policyfile.load([DEFAULT_POLICIES])
    known = {policy.name: policy for policy in whole.policies}
    unknown = next((name for name in others if name not in known), None)
    if unknown is not None:
        raise UsageError(f"no policy is called `{unknown}`, and no path; the policies are {', '.join(known)}")
    return replace(whole, policies=(*bundle.policies, *(known[name] for name in others)))


def _of_entry(store: str, entry: int | None, action: str | None) -> tuple[list[Document], dict[str, Any]]:
    from agentguard.cli.opened import open_reading  # what policies say is known without a database

    guard = open_reading(store)
    position = entry if entry is not None else guard.audit.action(action or "").decision_entry
    if position is None or (action is not None and guard.audit.show(position).kind != "decided"):
        raise UsageError(f"action `{action}` was refused before any rule was asked; see `agentguard actions show`")
    found = guard.audit.explain(position)
    observed = is_observed(guard.audit.show(position).document)
    return _told(found.explanation, found.erased, position, observed=observed)


def _of_request(path: Path, names: Sequence[Path]) -> Explanation:
    """Decide a request that a file describes, by the policies alone: facts and usage are what the file says.

    Raises:
        UsageError: The file cannot be read, or does not fit the policies.
    """
    bundle = _named(names)
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


def _told(
    explanation: Explanation, erased: tuple[str, ...], position: int | None, *, observed: bool = False
) -> tuple[list[Document], dict[str, Any]]:
    """Return a decision as a document, and for programs."""
    found = turned(explanation)
    document = decision_document(explanation, found, position=position, observed=observed, erased=erased)
    return [document], {"entry": position, "observed": observed, **_content(explanation, found, erased)}


def _content(explanation: Explanation, found: Turned, erased: tuple[str, ...]) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "verdict": str(decision.verdict),
        "approved": decision.approved,
        "matched": list(decision.matched),
        "say": decision.say,
        "rules": [_rule_document(rule) for rule in explanation.rules],
        "closest": None if explanation.closest is None else explanation.closest.id,
        "changes": list(change_sentences(explanation)),
        "automatic_up_to": _automatic(explanation),
        "turns": [_turn_document(item, turn) for item, turns in found.turns for turn in turns],
        "proved_without": [{"source": str(item.source), "name": item.name} for item in found.fixed],
        "erased": list(erased),
    }


def _turn_document(item: Input, turn: Turn) -> dict[str, Any]:
    return {
        "source": str(item.source),
        "name": item.name,
        "value": None if item.value is None else encode(item.value),
        "instead": None if turn.value is None else encode(turn.value),
        "verdict": str(turn.decision.verdict),
    }


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
