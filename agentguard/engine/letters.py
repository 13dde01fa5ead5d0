"""The letter that a customer gets about one decision: what was asked and decided, why, on what data, and what then.

It names the data and says what would have changed the result, as a person may demand of an automated decision.
Thresholds stand in it where the policy discloses them, and in the one sentence on what would have been automatic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from agentguard.core.decision import Reason
from agentguard.core.entry import is_observed
from agentguard.core.explain import Explanation
from agentguard.core.language import OneOf
from agentguard.core.letter import Letter, Part
from agentguard.core.lifecycle import State
from agentguard.core.limits import usage_values
from agentguard.core.needs import needs_of
from agentguard.core.plan import BUILT_IN, Environment, environment
from agentguard.core.policy import Disclose, Limit, Policy, Requirement, Rule, Verdict, WindowKind
from agentguard.core.request import FactStatus
from agentguard.core.words import render, words_for
from agentguard.engine import recorded
from agentguard.engine.asking import CONVERSATION
from agentguard.engine.causes import speaker
from agentguard.engine.contesting import contest_entry, contest_until, upheld_as
from agentguard.engine.escalating import CONTEST
from agentguard.engine.explaining import Rebuilt, rebuilt
from agentguard.engine.language import Language, language_of
from agentguard.engine.parts import Parts
from agentguard.errors import UsageError
from agentguard.store import Reading
from agentguard.store.records import ActionRecord

BY_PEOPLE = ("rejected", "expired", "withdrawn", "amended")
UNDER_WAY = (State.PROPOSED, State.READY, State.EXECUTING)

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_DIGIT = re.compile(r"\d")
_CLOSING = "”“»\u00a0 "


def letter(
    parts: Parts, reading: Reading, action_id: str, language: str | None, names: Mapping[str, str] | None = None
) -> Letter:
    """Return the letter about one action.

    Args:
        parts: The store and the vault.
        reading: One consistent view.
        action_id: The action.
        language: Its tag; None for the one that the conversation was in, as far as there are letters in it.
        names: What actions, facts and arguments are called in that language.

    Raises:
        NotFoundError: No action has this id.
        UsageError: There is no such language, nobody decided it here, or the customer was erased.
        StoreUnavailableError: The keys are not at hand.
    """
    action = recorded.whole(reading, action_id)
    parts.require_keys(reading)
    if action.on_behalf_of and parts.vault.customer_of(action.on_behalf_of) is None:
        raise UsageError(f"expected a customer to write to, got action `{action_id}`, whose customer was erased")
    decided = [item for item in reading.entries_of(action_id) if item.kind in ("decided", "refused")]
    if not decided:
        why = "was done elsewhere" if action.is_recorded else "nobody has decided yet"
        raise UsageError(f"expected an action that was decided here, got `{action_id}`, which {why}")
    body = decided[-1].document
    about = rebuilt(parts, reading, body) if decided[-1].kind == "decided" else None
    spoken = language_of(language or _spoken_in(about), names or {})
    return _Writing(parts, reading, action, body, about, spoken).letter()


def _spoken_in(about: Rebuilt | None) -> str:
    """Return the language of the conversation if there are letters in it, or empty."""
    wanted = "" if about is None else about.request.context.get("context.language", "")
    try:
        return language_of(str(wanted), {}).tag
    except UsageError:
        return ""


@dataclass(slots=True)
class _Writing:
    """One letter in the making; `about` is None for what was refused before any rule was asked."""

    parts: Parts
    reading: Reading
    action: ActionRecord
    body: Mapping[str, Any]
    about: Rebuilt | None
    language: Language

    def letter(self) -> Letter:
        """Return what was written."""
        say, action = self.language.say, self.language.action(self.action.action)
        policy = self._speaking()
        explanation = None if self.about is None else self.about.explained()
        asked = "letter.asked" if self.action.on_behalf_of else "letter.asked_nobody"
        parts = [
            self._part("asked", [say(asked, date=self._date(self.action.asked_at), action=action)], self._asked()),
            self._part("outcome", self._outcome()),
            self._part("reasons", self._reasons()),
            self._part("data", *self._data()),
            self._part("change", [] if explanation is None else self._change(explanation)),
            self._part("contest", self._contest(policy)),
        ]
        return Letter(
            action_id=self.action.id,
            language=self.language.tag,
            subject=say("letter.subject", action=action),
            reference=say("letter.reference", reference=self.action.id),
            greeting=say("letter.greeting"),
            parts=tuple(part for part in parts if part.sentences or part.points),
            closing=say("letter.closing"),
            sender="" if policy is None else policy.owner,
        )

    def _part(self, title: str, sentences: Iterable[str], points: Iterable[str] = ()) -> Part:
        return Part(self.language.say(f"title.{title}"), tuple(sentences), tuple(points))

    @property
    def _files(self) -> tuple[Policy, ...]:
        return () if self.about is None else tuple(file.policy for file in self.about.plan.enforced)

    def _speaking(self) -> Policy | None:
        """Return the policy that gave the first deciding reason."""
        deciding = next(self._deciding(), None)
        found = None if deciding is None else speaker(self._files, deciding.source)[0]
        return found or next(iter(self._files), None)

    @property
    def _zone(self) -> tzinfo:
        return self._files[0].zone if self._files else UTC

    def _date(self, at: datetime) -> str:
        return self.language.date(at, self._zone)

    def _deciding(self) -> Iterator[Reason]:
        """Yield the reasons that decided, as they are recorded."""
        for reason in recorded.reasons_of({"reasons": self.body["reasons"]}):
            if str(reason.verdict) == self.body["verdict"]:
                yield reason

    @property
    def _ended_by(self) -> str:
        """How people, or the lack of them, ended it: `rejected`, `expired`, … or empty."""
        codes = [reason.code for reason in recorded.reasons_of(recorded.kept(self.action))]
        found = next((code for code in codes if code in BY_PEOPLE), "")
        return found if self.action.state is State.DENIED else ""

    @property
    def _needs_no_reason(self) -> bool:
        """Whether there is no refusal to explain: it was allowed, nothing was enforced, or it was taken back."""
        return self.body["verdict"] == "allow" or is_observed(self.body) or self._ended_by == "withdrawn"

    def _asked(self) -> Iterator[str]:
        if self.about is None:
            return
        plan = self.about.plan
        for name, value in self.about.request.arguments.items():
            if f"arguments.{name}" in plan.personal:
                shown = self.language.say("data.personal")
            elif isinstance(plan.arguments[name].type, OneOf):
                shown = self.language.choice(str(value))
            else:
                shown = self.language.value(value, self._zone)
            yield self.language.say("letter.pair", name=self.language.name(name), value=shown)

    def _outcome(self) -> Iterator[str]:
        say, state = self.language.say, self.action.state
        if state is State.WAITING:
            escalation = self.reading.escalation(self.action.escalation or "")
            due = escalation.due_at if escalation is not None else None
            yield say("outcome.waiting", date=self._date(due or self.action.asked_at))
            yield say("how.waiting")
            return
        name = self._ended_by or ("under_way" if state in UNDER_WAY else str(state))
        yield say(f"outcome.{name}", reference=recorded.kept(self.action).get("amended", ""))
        decided_by_people = self.body["approved"] or self._ended_by in ("rejected", "amended")
        if name != "withdrawn":  # then nobody decided: neither people nor rules
            yield say("how.people" if decided_by_people else "how.automatic")

    def _reasons(self) -> Iterator[str]:
        """Yield why; what was simply allowed, or taken back, needs no reason."""
        if self._needs_no_reason:
            return
        values = None if self.about is None else _values(self.about)
        for reason in self._deciding():
            policy, item = speaker(self._files, reason.source)
            needed = self._needed(item) if isinstance(item, Requirement) else ""
            code = reason.code if self.language.knows(f"reason.{reason.code}") else "other"
            said = self.language.say(f"reason.{code}", needed=needed)
            words = "" if values is None or policy is None else self._own_words(policy, item, reason, values)
            if words:
                said = self.language.say("reason.with_words", reason=said, words=self.language.quoted(words))
            yield said if said.rstrip(_CLOSING).endswith((".", "!", "?")) else f"{said}."

    def _own_words(
        self, policy: Policy, item: Rule | Limit | Requirement | None, reason: Reason, values: Environment
    ) -> str:
        """Return what a policy says to the customer, or else why it says so, if that gives no threshold away.

        What an escalation says to the customer is for as long as it waits; afterwards its reason alone counts.
        """
        if item is None:
            return ""
        says = item.words.say
        tag = words_for(says, self.language.tag)
        said = "" if tag is None else render(says[tag], values, policy.zone)
        because = reason.because if reason.disclose is Disclose.THRESHOLD or not _DIGIT.search(reason.because) else ""
        if reason.verdict is Verdict.ESCALATE:
            return because or (said if self.action.state is State.WAITING else "")
        return said or because

    def _needed(self, item: Requirement) -> str:
        return self.language.name("confirmed") if item.action is None else self.language.action(item.action)

    def _data(self) -> tuple[list[str], list[str]]:
        say = self.language.say
        if self.about is None:
            return [], []
        points = [*self._facts(self.about), *self._context(self.about), *self._history()]
        sentences = [say("data.intro") if points else say("data.only_request")]
        return [*sentences, *([say("data.erased")] if self.about.erased else [])], points

    def _facts(self, about: Rebuilt) -> Iterator[str]:
        kinds = {FactStatus.VALUE: "fact", FactStatus.ABSENT: "absent", FactStatus.FAILED: "failed"}
        for name, fact in about.evidence.facts.items():
            if name not in about.plan.segments:  # kept for reports; no rule can read it
                date = self._date(fact.read_at or about.evidence.now)
                source = self.language.name(fact.source or name.partition(".")[0])
                yield self.language.say(
                    f"data.{kinds[fact.status]}", name=self.language.name(name), source=source, date=date
                )

    def _context(self, about: Rebuilt) -> Iterator[str]:
        for name in about.request.context:
            if name in about.plan.context and name != CONVERSATION:
                yield self.language.say("data.context", name=self.language.name(name))

    def _history(self) -> Iterator[str]:
        windows = dict.fromkeys(self.language.window(item.window) for item in self._limits() if item.per)
        for window in windows:
            yield self.language.say("data.history", window=window)

    def _limits(self) -> Iterator[Limit]:
        checked = {check["limit"] for check in self.body["limits"]}
        for policy in self._files:
            yield from (item for item in policy.limits if policy.qualified(item.id) in checked)

    def _change(self, explanation: Explanation) -> Iterator[str]:
        """Yield what would have changed the result; nothing for what was allowed, or taken back."""
        if self._needs_no_reason:
            return
        said: list[str] = []
        if explanation.automatic_up_to is not None:
            name, value = explanation.automatic_up_to
            said.append(
                self.language.say(
                    "change.up_to", name=self.language.name(name), value=self.language.value(value, self._zone)
                )
            )
        deciding = list(self._deciding())
        names = list(dict.fromkeys(self._different(explanation, deciding)))
        if names:
            said.append(self.language.say("change.different", names=", ".join(names)))
        for reason in deciding:
            said += self._of_its_kind(reason)
        yield from dict.fromkeys(said) if said else [self.language.say("change.nothing")]

    def _of_its_kind(self, reason: Reason) -> Iterator[str]:
        _, item = speaker(self._files, reason.source)
        if reason.code == "cannot_evaluate":
            yield self.language.say("change.unknown")
        elif isinstance(item, Limit):
            forever = item.window.kind in (WindowKind.FOREVER, WindowKind.CONVERSATION)
            window = self.language.window(item.window)
            yield self.language.say("change.limit_forever" if forever else "change.limit", window=window)
        elif isinstance(item, Requirement):
            yield self.language.say("change.requirement", needed=self._needed(item))

    def _different(self, explanation: Explanation, deciding: list[Reason]) -> Iterator[str]:
        """Yield what the rules that decided read, and what kept the closest rule from allowing it."""
        sources = {reason.source for reason in deciding if reason.code == "rule_matched"}
        for rule in explanation.rules:
            if rule.id in sources and rule.then.verdict > Verdict.ALLOW:
                yield from self._names(item.text for item in rule.comparisons)
        if explanation.closest is not None:
            yield from self._names(item.text for item in explanation.closest.blocking)

    def _names(self, texts: Iterable[str]) -> Iterator[str]:
        assert self.about is not None  # noqa: S101 - only what was decided by rules is explained
        plan = self.about.plan
        known = {*plan.arguments, *plan.facts, *plan.context, *BUILT_IN} - {
            "agent.kind"
        }  # that is what a contest is for
        shorthand = {name: sorted(item.reads) for policy in self._files for name, item in policy.names.items()}
        for text in texts:
            for written in _NAME.findall(text):
                yield from (self.language.name(name) for name in shorthand.get(written, [written]) if name in known)

    def _contest(self, policy: Policy | None) -> Iterator[str]:
        """Yield where to say that one does not agree, and until when that is a contest; or what became of it."""
        say, reference = self.language.say, self.action.id
        made = contest_entry(self.reading, reference)
        if made is not None:
            yield say("contest.made", date=self._date(made.at))
            yield self._contested()
        if policy is None or not policy.owner:
            yield say("contest.nobody", reference=reference)
        else:
            yield say("contest.owner", owner=policy.owner, reference=reference)
        until = contest_until(self.parts, self.reading, self.action) if made is None else None
        if until is not None:
            yield say("contest.until", date=self._date(until))

    def _contested(self) -> str:
        again = upheld_as(self.reading, self.action.id)
        if again:
            return self.language.say("contest.upheld", reference=again)
        # The last one: a route that was late passes the contest on to another.
        state = [item.state for item in self.reading.escalations_of(self.action.id) if item.kind == CONTEST][-1]
        return self.language.say(f"contest.{state}")


def _values(about: Rebuilt) -> Environment:
    """Return what the words of a policy can show."""
    plan, request, evidence = about.plan, about.request, about.evidence
    values = environment(plan, request, evidence.facts, evidence.now)
    wanted = needs_of(plan, request, values, evidence.now)
    values.update(usage_values(wanted.accounts, evidence.usage))
    return values
