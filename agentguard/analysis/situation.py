"""From what a case says to a request and its evidence, or to the mistakes in the case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agentguard.analysis.written import amount_in, moment_of, value_of
from agentguard.core.cases import Situation, Written
from agentguard.core.language import Value
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.needs import Needs, needs
from agentguard.core.plan import BUILT_IN, Plan
from agentguard.core.policy import Policy
from agentguard.core.request import Actor, ActorKind, Evidence, Fact, FactStatus, Request, Usage
from agentguard.errors import ConformError

SETTABLE = BUILT_IN - {"now"}
DEFAULT_NOW = "2026-01-01 12:00"
SOURCE = "test file"
NEEDED = "the case needs `{name}`: give it a value, or name it under `without`"


def layered(*layers: Situation) -> Situation:
    """Return several situations as one; the later says more, name by name."""
    values: dict[str, Written] = {}
    without: dict[str, None] = {}
    failed: dict[str, None] = {}
    used: dict[str, str] = {}
    held: dict[str, str] = {}
    now, happened = None, None
    for layer in layers:
        for name in layer.values:
            without.pop(name, None)
            failed.pop(name, None)
        values.update(layer.values)
        for name in (*layer.without, *layer.failed):
            values.pop(name, None)
        without.update(dict.fromkeys(layer.without))
        failed.update(dict.fromkeys(layer.failed))
        used.update(layer.used)
        held.update(layer.held)
        now = layer.now or now
        happened = layer.happened if layer.happened is not None else happened
    return Situation(now, values, tuple(without), tuple(failed), used, held, happened)


@dataclass(slots=True)
class Staging:
    """One case being made into a request and evidence; what is wrong with it collects in `mistakes`.

    Attributes:
        own: Names that the case itself gives, which must belong to its action; `given` may say more.
        invalid: What is wrong with the arguments: the guard would deny before any rule is read.
    """

    plan: Plan
    policies: tuple[Policy, ...]
    situation: Situation
    own: frozenset[str]
    mistakes: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    def stage(self) -> tuple[Request, Evidence] | None:
        """Return the request and its evidence, or None if the case is wrong or its arguments are."""
        self._check_names()
        now = self._moment(self.situation.now or DEFAULT_NOW)
        asked = self.situation.values.get("asked_at")
        request = Request(
            tenant=self._text("tenant", "default"),
            actor=self._actor(),
            on_behalf_of=self._text("on_behalf_of", ""),
            action=self.plan.action,
            arguments=self._arguments(),
            context=self._context(),
            key="case",
            asked_at=self._moment(asked) if isinstance(asked, str) else now,
        )
        facts = self._facts(now)
        if self.mistakes or self.invalid:
            return None
        wanted = needs(self.plan, request, facts, now)
        evidence = Evidence(facts, self._usage(wanted), self._history(wanted), now)
        return None if self.mistakes else (request, evidence)

    def _check_names(self) -> None:
        mine = {*self.plan.arguments, *self.plan.context, *SETTABLE}
        facts = {name for policy in self.policies for name in policy.facts}
        others = {name for policy in self.policies for action in policy.actions.values() for name in action.arguments}
        said = (*self.situation.values, *self.situation.without, *self.situation.failed)
        for name in said:
            if name in self.plan.arguments and self.plan.arguments[name].computed:
                self.mistakes.append(f"`{name}` is worked out by the policy; leave it out and set what it is made of")
            elif name in mine or name in facts or (name in others and name not in self.own):
                continue
            elif name in others:
                self.mistakes.append(f"`{self.plan.action}` has no argument `{name}`")
            else:
                known = sorted({*mine, *facts, *others})
                self.mistakes.append(f"nothing in the policy is called `{name}`{did_you_mean(name, known)}")
        for name in self.situation.failed:
            if name in mine:
                self.mistakes.append(f"`{name}` is not looked up, so its lookup cannot fail; use `without`")

    def _arguments(self) -> dict[str, Value]:
        made: dict[str, Value] = {}
        for name, declared in self.plan.arguments.items():
            if declared.computed:
                continue
            written = self.situation.values.get(name)
            if written is None:
                if not declared.optional:
                    self._argument_missing(name)
                continue
            try:
                made[name] = value_of(declared.type, written, self.policies[0].zone)
            except ConformError as error:
                self.invalid.append(f"argument `{name}`: {error}")
        return made

    def _argument_missing(self, name: str) -> None:
        if name in self.situation.without:
            self.invalid.append(f"argument `{name}` is missing")
        elif name not in self.situation.failed:
            self.mistakes.append(NEEDED.format(name=name))

    def _context(self) -> dict[str, Value]:
        made: dict[str, Value] = {}
        for name, declared in self.plan.context.items():
            written = self.situation.values.get(name)
            if written is not None and (value := self._value(name, declared.type, written)) is not None:
                made[name] = value
        return made

    def _facts(self, now: datetime) -> dict[str, Fact]:
        segments = {name for policy in self.policies for name in policy.segments}
        made: dict[str, Fact] = {}
        for name, declared in self.plan.facts.items():
            written = self.situation.values.get(name)
            if written is not None:
                value = self._value(name, declared.type, written)
                made[name] = Fact(FactStatus.VALUE, value, SOURCE, now)
            elif name in self.situation.failed:
                made[name] = Fact(FactStatus.FAILED, source=SOURCE, read_at=now)
            else:
                made[name] = Fact(FactStatus.ABSENT, source=SOURCE, read_at=now)
                if not declared.optional and name not in segments and name not in self.situation.without:
                    self.mistakes.append(NEEDED.format(name=name))
        return made

    def _usage(self, wanted: Needs) -> dict[str, Usage]:
        used = self._by_limit(self.situation.used)
        held = self._by_limit(self.situation.held)
        made: dict[str, Usage] = {}
        for limit, need in wanted.accounts.items():
            try:
                holding = amount_in(held.get(limit, "0"), need.unit)
                using = amount_in(used[limit], need.unit) if limit in used else holding
            except ConformError as error:
                self.mistakes.append(f"limit `{limit}`: {error}")
                continue
            if not 0 <= holding <= using:
                self.mistakes.append(f"limit `{limit}`: `held` is a part of `used`, so it cannot be more")
            made[limit] = Usage(held=holding, settled=using - holding)
        return made

    def _by_limit(self, written: Mapping[str, str]) -> dict[str, str]:
        known = [policy.qualified(limit.id) for policy in self.policies for limit in policy.limits]
        return {name: text for short, text in written.items() for name in self._qualified(short, known, "limit")}

    def _history(self, wanted: Needs) -> dict[str, int | None]:
        known = [policy.qualified(item.id) for policy in self.policies for item in policy.requires]
        happened = {
            name for short in self.situation.happened or () for name in self._qualified(short, known, "requirement")
        }
        return {requirement: 1 if requirement in happened else None for requirement in wanted.requirements}

    def _qualified(self, written: str, known: Iterable[str], kind: str) -> list[str]:
        """Return the full ids that a short or full one means."""
        ids = list(known)
        matching = [name for name in ids if written in (name, name.partition("/")[2])]
        if len(matching) == 1:
            return matching
        if matching:
            full = " or ".join(f"`{name}`" for name in matching)
            self.mistakes.append(f"`{written}` is a {kind} of several files; write {full}")
        else:
            hint = did_you_mean(written, [name.partition("/")[2] for name in ids])
            self.mistakes.append(f"there is no {kind} called `{written}`{hint}")
        return []

    def _value(self, name: str, kind: object, written: Written) -> Value | None:
        try:
            return value_of(kind, written, self.policies[0].zone)  # type: ignore[arg-type]
        except ConformError as error:
            self.mistakes.append(f"`{name}`: {error}")
            return None

    def _moment(self, text: str) -> datetime:
        try:
            return moment_of(text, self.policies[0].zone)
        except ConformError as error:
            self.mistakes.append(str(error))
            return datetime(2026, 1, 1, tzinfo=UTC)

    def _actor(self) -> Actor:
        kind = self._text("agent.kind", ActorKind.AGENT)
        if kind not in tuple(ActorKind):
            self.mistakes.append(f"`agent.kind` must be one of {', '.join(ActorKind)}, got `{kind:.40}`")
            kind = ActorKind.AGENT
        return Actor(self._text("agent.id", "agent"), self._text("agent.version", "") or None, kind=ActorKind(kind))

    def _text(self, name: str, default: str) -> str:
        written = self.situation.values.get(name, default)
        if isinstance(written, str):
            return written
        self.mistakes.append(f"`{name}` must be a text")
        return default
