"""`agentguard policy approve | withdraw`: the second person's yes to policies that somebody asked for, or a no."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from agentguard.cli import exits
from agentguard.cli.activations import REASON, with_same_cases
from agentguard.cli.changes import DespiteOption, KeyOption, SimulationOption, Wish, fulfil
from agentguard.cli.opened import open_for
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    WhyOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.core.canary import share_text
from agentguard.core.narration.changes import tried
from agentguard.core.prose import moment
from agentguard.engine.changes import Proposal
from agentguard.errors import UsageError

ProposalArgument = Annotated[
    str, typer.Argument(help="The entry of the asking, or the beginning of the bundle.", metavar="ENTRY|BUNDLE")
]


def approve(
    proposal: ProposalArgument,
    why: WhyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you mean it.")] = False,
    key: KeyOption = None,
    despite: DespiteOption = "",
    simulation: SimulationOption = True,
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Look at policies that somebody else asked for, as the store has them, and say yes to exactly these."""
    if not yes and (json or not sys.stdin.isatty()):
        raise UsageError("expected --yes, or a terminal on which to answer whether you mean it")
    guard, person = open_for(store, policies, people, as_, why, REASON)
    asked = guard.changes.proposal(proposal)
    share = None if asked.canary is None else int(asked.canary["share"])
    wish = Wish(guard.changes.proposed(asked), person, key, despite, simulation, share=share, proposal=asked)
    wish = with_same_cases(wish, policies)
    guard.changes.require_power(wish.bundle, share, **person)
    shown = guard.changes.look(wish.bundle, wish.cases, wish.files, simulate=simulation, share=share)
    if shown.tests is None:
        shown = replace(shown, untried={**shown.untried, "tests": f"as entry {asked.entry} says"})
    if not json:
        _introduce(Output(), asked)
    fulfil(guard, wish, shown, json=json, sure=_agreed if not yes else lambda: None)


def _agreed() -> None:
    if not typer.confirm("say yes to this?"):
        raise typer.Exit(exits.FOUND)


def _introduce(output: Output, asked: Proposal) -> None:
    output.line(f"{' and '.join(asked.by)} asked for this at {moment(asked.at)} UTC: {asked.why}", style="bold")
    if asked.canary is not None:
        output.line(f"  for {share_text(asked.canary['share'])} of the customers, as a canary")
    change = asked.document.get("change")
    tests = [words for name, words in tried(change) if name == "tests"] if change else []
    output.line(f"  tests then: {', '.join(tests) or 'not tried'}")
    if change and change["despite"]:
        output.line(f"  asked for despite that: {change['despite']}", style="bold red")


def withdraw(
    proposal: ProposalArgument,
    why: WhyOption = "",
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Take back policies that were asked for, by you or somebody else; a no takes one person."""
    guard, person = open_for(store, policies, people, as_, why, "what is taken back is taken back for a reason")
    ended = guard.changes.withdraw(proposal, **person)
    if json:
        print_json({"bundle": ended.bundle, "entry": ended.entry, "withdrawn": True})
    else:
        Output().line(f"taken back: what {' and '.join(ended.by)} asked for in entry {ended.entry}")
