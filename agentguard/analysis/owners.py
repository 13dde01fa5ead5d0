"""What is allowed although it is not the customer's; needs the extra `prove` (SPEC P20.11).

Where a rule refuses what a fact says is another's, no agent may get an allow for it: not below some amount either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentguard.analysis.finding import Finding
from agentguard.analysis.symbolic.logic import Truth, all_of, no
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Search
from agentguard.analysis.symbolic.value import code
from agentguard.core.language.inside import names_in, terms_in
from agentguard.core.language.terms import Compare, In, Read
from agentguard.core.plan import Plan
from agentguard.core.policy import Rule, Verdict
from agentguard.core.request import ActorKind

CODE = "order_of_anybody"
CUSTOMER = "on_behalf_of"


def others_things(searches: Iterable[Search]) -> Iterator[Finding]:
    """Yield the rules that refuse what is another's, and not always; each once, with the first such action."""
    told: set[str] = set()
    for search in searches:
        for planned in (planned for file in search.plan.enforced for planned in file.rules):
            rule = planned.rule
            owners = _owners(rule, search.plan) if rule.then.verdict in (Verdict.DENY, Verdict.ESCALATE) else set()
            if owners and planned.id not in told and _allowed(search, owners):
                told.add(planned.id)
                message = (
                    f"rule `{rule.id}` does not stop everything of others: `{search.plan.action}` is allowed for some "
                    f"requests where `{min(owners)} != {CUSTOMER}`; let it rest on nothing else"
                )
                yield Finding(rule.place, CODE, message)


def _owners(rule: Rule, plan: Plan) -> set[str]:
    """Return the facts that a rule compares with the customer; none where the customer may be one of several."""
    found: set[str] = set()
    for term in terms_in(rule.when.tree) if rule.when is not None else ():
        match term:
            case In(item, items) if CUSTOMER in names_in(item) | names_in(items):
                return set()
            case Compare("==" | "!=", Read(one), Read(other)) if CUSTOMER in (one, other):
                found |= {one, other} & plan.facts.keys()
    return found


def _allowed(search: Search, owners: set[str]) -> bool:
    """Return whether an agent may get an allow for what is of none of the facts' customer."""

    def wanted(among: Requests) -> Truth:
        """Return that it is an agent's, allowed, and somebody else's by every fact."""
        slots = [among.translation.slot(name) for name in (CUSTOMER, *sorted(owners))]
        known = all_of(all_of((slot.present, slot.known)) for slot in slots)
        customer = code(slots[0].value).code
        others = all_of(no(code(slot.value).code == customer) for slot in slots[1:])
        kind = code(among.translation.slot("agent.kind").value).code
        is_agent = kind == among.lexicon.code(ActorKind.AGENT)
        return all_of((known, others, is_agent, among.verdicts[Verdict.ALLOW]))

    return search.find(wanted, lambda example: example.decision.verdict is Verdict.ALLOW).example is not None
