"""A second `decide`, naive and written the other way round, over policies that are plain data.

It knows nothing of conditions, plans or accounts: a condition is a list of atoms, an unknown is `None`, and each
verdict is asked for from the strictest down. `policy_text` writes the same data as a policy file for the real one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

AMOUNTS = (4999, 5000, 5001, 10000, 30000)
SCORES = (39, 40, 41, 80)
TIERS = ("standard", "gold", "vip")
ABSENT, FAILED = "absent", "failed"


@dataclass
class Atom:
    """One comparison; `guarded` says `has(name) and …` for the fact that may be missing."""

    name: str
    operator: str
    constant: Any
    guarded: bool = False

    def text(self) -> str:
        constant = f"{self.constant / 100:.2f}" if self.name in ("amount", "order.total") else self.constant
        if self.name == "customer.tier":
            constant = f'"{self.constant}"'
        plain = f"{self.name} {self.operator} {constant}"
        return f"(has({self.name}) and {plain})" if self.guarded else plain

    def holds(self, world: World) -> bool | None:
        value = world.values[self.name]
        if value == FAILED:
            return None
        if value == ABSENT:
            return False if self.guarded else None
        return {
            "<": lambda: value < self.constant,
            "<=": lambda: value <= self.constant,
            ">": lambda: value > self.constant,
            ">=": lambda: value >= self.constant,
            "==": lambda: value == self.constant,
            "!=": lambda: value != self.constant,
        }[self.operator]()


@dataclass
class RuleData:
    id: str
    then: str
    atoms: list[Atom]
    either: list[Atom] = field(default_factory=list)
    """The rule holds as well where one of these does."""


@dataclass
class LimitData:
    id: str
    money: bool
    maximum: int
    over: str
    when: Atom | None = None


@dataclass
class PolicyData:
    name: str
    rules: list[RuleData]
    limits: list[LimitData]
    requires: dict[str, str]
    otherwise: str
    on_error: str
    shadow: bool = False


@dataclass
class World:
    """What is asked, known and used: amounts in minor units."""

    values: dict[str, Any]
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    happened: dict[str, bool] = field(default_factory=dict)


ROUTES = ("lead", "finance")  # weakest first


def all_of(results: list[bool | None]) -> bool | None:
    if False in results:
        return False
    return None if None in results else True


def any_of(results: list[bool | None]) -> bool | None:
    if True in results:
        return True
    return None if None in results else False


def reference(policies: list[PolicyData], world: World) -> tuple[str, set[tuple[str, str, str]], set[str]]:
    """Return the verdict, the reasons as (code, source, verdict), and the routes that must be satisfied."""
    said: list[tuple[str, str, str]] = []
    for policy in policies:
        if not policy.shadow:
            said += sayings(policy, world)
    if all(then == "abstain" for _, _, then in said):
        said.append(("all_abstained" if said else "action_unknown", "thing.do", "deny"))
    if any(then == "deny" for _, _, then in said):
        return "deny", set(said), set()
    asked = {(source.split("/")[0], then) for _, source, then in said if then.startswith("escalate")}
    if asked:
        routes = set()
        for name in {name for name, _ in asked}:
            strongest = [route for route in ROUTES if (name, f"escalate to {route}") in asked][-1]
            routes.add(f"{name}/{strongest}")
        return "escalate", set(said), routes
    return "allow", set(said), set()


def sayings(policy: PolicyData, world: World) -> list[tuple[str, str, str]]:
    said, failed = [], False
    for rule in policy.rules:
        result = any_of(
            [all_of([atom.holds(world) for atom in rule.atoms]), *(atom.holds(world) for atom in rule.either)]
        )
        if result is None:
            failed = True
            if rule.then != "allow":
                said.append(("cannot_evaluate", f"{policy.name}/{rule.id}", rule.then))
        elif result:
            said.append(("rule_matched", f"{policy.name}/{rule.id}", rule.then))
    if not said:
        said.append(("no_rule_matched", f"{policy.name}/otherwise", policy.otherwise))
    for limit in policy.limits:
        counts = limit.when is None or limit.when.holds(world)
        if counts is None:
            failed = True
            said.append(("cannot_evaluate", f"{policy.name}/{limit.id}", limit.over))
        if not counts:
            continue
        used = sum(world.used[f"{policy.name}/{limit.id}"])
        if used + (world.values["amount"] if limit.money else 1) > limit.maximum:
            said.append(("limit_exceeded", f"{policy.name}/{limit.id}", limit.over))
    for requirement, otherwise in policy.requires.items():
        if not world.happened[f"{policy.name}/{requirement}"]:
            said.append(("requirement_missing", f"{policy.name}/{requirement}", otherwise))
    if failed:
        said.append(("cannot_evaluate", f"{policy.name}/on_error", policy.on_error))
    return said


def random_then(random_source: random.Random) -> str:
    return random_source.choice(["allow", "allow", "deny", "escalate to lead", "escalate to finance"])


def random_atom(random_source: random.Random) -> Atom:
    name = random_source.choice(
        ["amount", "amount", "order.total", "customer.score", "customer.tier", "customer.level"]
    )
    operator = random_source.choice(["<", "<=", ">", ">=", "==", "!="])
    if name == "customer.tier":
        return Atom(name, random_source.choice(["==", "!="]), random_source.choice(TIERS))
    if name in ("customer.score", "customer.level"):
        return Atom(name, operator, random_source.choice(SCORES), guarded=name == "customer.score")
    return Atom(name, operator, random_source.choice(AMOUNTS))


def random_policy(random_source: random.Random, name: str) -> PolicyData:
    strict = ["deny", "escalate to lead", "escalate to finance"]
    rules = [
        RuleData(
            f"r{number}",
            random_then(random_source),
            [random_atom(random_source) for _ in range(random_source.randint(1, 3))],
        )
        for number in range(random_source.randint(1, 5))
    ]
    limits = [
        LimitData(f"l{number}", money, random_source.choice(AMOUNTS) if money else 3, random_source.choice(strict))
        for number, money in enumerate(random_source.choices([True, False], k=random_source.randint(0, 2)))
    ]
    requires = {f"q{number}": random_source.choice(strict) for number in range(random_source.randint(0, 1))}
    return PolicyData(
        name,
        rules,
        limits,
        requires,
        random_source.choice(["deny", "allow", "abstain", "escalate to lead"]),
        random_source.choice(strict),
        random_source.random() < 0.1,
    )


def random_world(random_source: random.Random, policies: list[PolicyData]) -> World:
    values: dict[str, Any] = {
        "amount": random_source.choice(AMOUNTS),
        "order.total": random_source.choice(AMOUNTS),
        "customer.score": random_source.choice(SCORES),
        "customer.level": random_source.choice(SCORES),
        "customer.tier": random_source.choice(TIERS),
    }
    for fact in list(values)[1:]:
        chance = random_source.random()
        if chance < 0.08:
            values[fact] = FAILED
        elif chance < 0.16:
            values[fact] = ABSENT
    used, happened = {}, {}
    for policy in policies:
        for limit in policy.limits:
            amount = random_source.choice(AMOUNTS)
            near = limit.maximum - amount if limit.money else random_source.randint(0, 3)
            used[f"{policy.name}/{limit.id}"] = (0, max(near, 0)) if random_source.random() < 0.5 else (max(near, 0), 0)
        for requirement in policy.requires:
            happened[f"{policy.name}/{requirement}"] = random_source.random() < 0.6
    return World(values, used, happened)


def policy_text(policy: PolicyData) -> str:
    """The same policy as a file."""
    lines = [
        "agentguard: 1",
        f"policy: {policy.name}",
        "version: 1",
        "owner: tests@acme.example",
        "description: A random policy.",
        "timezone: UTC",
        "currency: USD",
        f"mode: {'shadow' if policy.shadow else 'enforce'}",
        f"otherwise: {policy.otherwise}",
        f"on_error: {policy.on_error}",
        "actions: {thing.do: {amount: money}, identity.verify: {code: text}}",
        "facts:",
        "  order.total: money",
        "  customer.score: integer?",
        "  customer.level: integer",
        "  customer.tier: [standard, gold, vip]",
        "escalations:",
        '  lead: {who: "group:leads", within: 4 hours, if_late: deny}',
        '  finance: {who: "group:finance", within: 1 day, if_late: deny}',
        "rules:",
    ]
    for rule in policy.rules:
        lines += [f"  - id: {rule.id}", "    on: [thing.do]", f"    then: {rule.then}"]
        together = " and ".join(atom.text() for atom in rule.atoms)
        if rule.either:
            lines.append(f"    when: '{' or '.join([f'({together})', *(atom.text() for atom in rule.either)])}'")
        else:
            lines += ["    when:", *(f"      - {atom.text()}" for atom in rule.atoms)]
    if policy.limits:
        lines.append("limits:")
    for number, limit in enumerate(policy.limits):
        counted = "sum: amount" if limit.money else "count: actions"
        maximum = f"{limit.maximum / 100:.2f}" if limit.money else limit.maximum
        when = f", when: '{limit.when.text()}'" if limit.when else ""
        lines.append(
            f"  - {{id: {limit.id}, on: [thing.do], {counted}, per: on_behalf_of, in: {number + 1} days, "
            f"max: {maximum}, over: {limit.over}{when}}}"
        )
    if policy.requires:
        lines.append("requires:")
    for requirement, otherwise in policy.requires.items():
        lines.append(
            f"  - {{id: {requirement}, on: [thing.do], action: identity.verify, same: [on_behalf_of], "
            f"within: 30 minutes, else: {otherwise}}}"
        )
    return "\n".join(lines) + "\n"
