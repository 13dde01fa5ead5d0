"""Why a decision asks for a person or refuses: each reason in words, with the lines of the policy it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentguard.core.dossier import Cause
from agentguard.core.english.comparison import comparison_words
from agentguard.core.explain import Explanation
from agentguard.core.policy import Bundle, Limit, Place, Policy, Requirement, Rule
from agentguard.core.prose import action_words, amount_text, name_words, span

SAYS = {
    "no_rule_matched": "No rule of this policy decides it.",
    "cannot_evaluate": "Something could not be evaluated, and that counts against the request.",
    "limit_exceeded": "A limit would be passed.",
    "requirement_missing": "What had to happen first did not.",
    "not_confirmed": "The customer has not said yes to exactly this request.",
    "rule_matched": "A rule decides it.",
}


def causes(body: Mapping[str, Any], bundle: Bundle, explanation: Explanation | None) -> Iterator[Cause]:
    """Yield every reason that decided, rules and limits alike.

    Args:
        body: The entry.
        bundle: The policies that it names.
        explanation: Why it came out so; None without the keys, and then no comparison is told.
    """
    compared = {} if explanation is None else {rule.id: rule.comparisons for rule in explanation.rules}
    checks = {check["limit"]: check for check in body["limits"]}
    for reason in body["reasons"]:
        if reason["verdict"] != body["verdict"]:
            continue
        source = reason["source"]
        policy, item = speaker(bundle.policies, source)
        because: list[str] = [f"what could not be evaluated: {reason['detail']}"] if reason["detail"] else []
        if isinstance(item, Rule) and reason["code"] == "rule_matched":
            because += [comparison_words(comparison) for comparison in compared.get(source, ())]
        elif isinstance(item, Limit) and source in checks:
            because.append(_counted(item, checks[source]))
        elif isinstance(item, Requirement):
            because.append(_required(item))
        yield Cause(
            source=source,
            kind=_kind(item),
            code=reason["code"],
            says=reason["because"] or SAYS.get(reason["code"], ""),
            because=tuple(because),
            place=f"{item.place.file.rpartition('/')[2]} line {item.place.line}" if item is not None else "",
            text=tuple(_lines(policy.text, item.place)) if policy is not None and item is not None else (),
        )


def per_words(limit: Limit) -> str:
    """Return whose a limit's account is, in words; empty where everybody shares it."""
    shared = ["customer" if item.source == "on_behalf_of" else name_words(item.source) for item in limit.per]
    return f" for each {' and '.join(shared)}" if shared else ""


def speaker(policies: Iterable[Policy], source: str) -> tuple[Policy | None, Rule | Limit | Requirement | None]:
    """Return the policy that a reason comes from, and which of its rules, limits or requirements; None for neither."""
    name, _, short = source.partition("/")
    policy = next((policy for policy in policies if policy.name == name), None)
    items: tuple[Rule | Limit | Requirement, ...] = ()
    if policy is not None:
        items = (*policy.rules, *policy.limits, *policy.requires)
    return policy, next((item for item in items if item.id == short), None)


def _kind(item: Rule | Limit | Requirement | None) -> str:
    return "file" if item is None else type(item).__name__.lower()


def _counted(limit: Limit, check: Mapping[str, Any]) -> str:
    unit = check["unit"]
    used, this = amount_text(int(check["used"]), unit), amount_text(int(check["amount"]), unit)
    window = f"{limit.window}{per_words(limit)}"
    if check["max"] is None:
        return f"{used} was used in {window}, this adds {this}, and the max could not be worked out"
    return f"at most {amount_text(int(check['max']), unit)} in {window}: {used} was used, and this adds {this}"


def _required(item: Requirement) -> str:
    if item.action is None:
        within = f" in the {span(item.within.total_seconds())} before it was asked" if item.within is not None else ""
        return f"the customer did not say yes to exactly this request{within}"
    same = " and ".join("customer" if name == "on_behalf_of" else name_words(name) for name in item.same)
    within = f" within {span(item.within.total_seconds())}" if item.within is not None else ""
    return f"`{action_words(item.action)}` for the same {same} did not happen before{within}"


def _lines(text: str, place: Place) -> list[str]:
    """Return a rule, limit or requirement as it was written, without its indentation."""
    lines = text.splitlines()[place.line - 1 :]
    indent = len(lines[0]) - len(lines[0].lstrip())
    taken = [lines[0]]
    for line in lines[1:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        taken.append(line)
    while not taken[-1].strip():
        taken.pop()
    return [line[indent:] for line in taken]
