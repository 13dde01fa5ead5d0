"""A dry run: what would be decided now, and everything it rests on; nothing is stored and no tool is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentguard.core.arguments import Fault
from agentguard.core.decision import Decision, Reason
from agentguard.core.plan import Plan
from agentguard.core.policy import Verdict
from agentguard.core.request import Evidence, Fact, Request
from agentguard.engine.asking import Ask, Proposal, read_arguments, request_of
from agentguard.engine.deciding import decide_now, halted
from agentguard.engine.drive import gathered
from agentguard.engine.parts import Parts
from agentguard.engine.steps import Gather
from agentguard.store import Reading


@dataclass(frozen=True, slots=True)
class Considered:
    """A decision that was not carried out.

    Attributes:
        decision: What would be decided.
        problems: What is wrong with the arguments; the decision is then a denial that no rule made.
        evidence: Facts, usage and history that the decision rests on; None where it came to none of that.
    """

    decision: Decision
    request: Request
    plan: Plan
    problems: tuple[Fault, ...] = ()
    evidence: Evidence | None = None

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict."""
        return self.decision.verdict


def consider(parts: Parts, proposal: Proposal) -> Considered:
    """Decide a proposal without storing anything.

    Raises:
        UsageError: The host's own part of the proposal is wrong.
    """

    def look(reading: Reading) -> tuple[Plan, frozenset[str], str | None]:
        """Return the plan, the known names of context, and what stops the action."""
        bundle = parts.force.deciding(reading, proposal.tenant, proposal.on_behalf_of)
        plan = parts.force.plan(bundle, proposal.action)
        stopped = halted(reading, proposal.action, proposal.actor.id)
        return plan, parts.force.known_context(reading), stopped

    plan, known, stopped = parts.store.read(look)
    parsed = read_arguments(parts, proposal, plan)
    request = request_of(proposal, plan, known, parsed.values, key=proposal.key or "", asked_at=parts.clock())
    if stopped is not None:
        return Considered(_denial(Reason("halted", stopped, Verdict.DENY)), request, plan)
    if not plan.files:
        return Considered(_denial(Reason("action_unknown", proposal.action, Verdict.DENY)), request, plan)
    if parsed.faults:
        reasons = [
            Reason("arguments_invalid", proposal.action, Verdict.DENY, detail=f"{fault.argument or '-'}: {fault.code}")
            for fault in parsed.faults
        ]
        return Considered(_denial(*reasons), request, plan, parsed.faults)
    facts: Mapping[str, Fact] = gathered(parts, Gather(plan, request))
    asked = Ask("", request, "", "", "", plan)
    decision, evidence = parts.store.read(lambda reading: decide_now(parts, reading, asked, facts))
    return Considered(decision, request, plan, evidence=evidence)


def _denial(*reasons: Reason) -> Decision:
    return Decision(
        verdict=Verdict.DENY,
        approved=False,
        reasons=tuple(reasons),
        matched=(),
        routes=(),
        limits=(),
        requirements=(),
        say="",
        language="",
    )
