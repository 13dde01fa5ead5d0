"""What `guard.run` returns: one of six answers (and `Ready` from `propose`), each with words for the model.

Law 15: the words for the model hold no threshold, rule text or rest of a budget, unless a rule says
`disclose: threshold`. `executed` is explicit, so that a model cannot claim what was not done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from agentguard.core.decision import Reason
from agentguard.core.policy import Disclose, Verdict


@dataclass(frozen=True, slots=True)
class WaitsFor:
    """What a waiting action waits for: an escalation, who decides it, and by when."""

    id: str
    route: str
    who: tuple[str, ...]
    people: int
    due: datetime | None

    def __str__(self) -> str:
        until = f" until {self.due:%Y-%m-%d %H:%M} UTC" if self.due else ""
        return f"{self.people} of {', '.join(self.who)}{until} ({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every answer says.

    Attributes:
        decision_id: Id of the action, under which the record finds it; empty where nothing was stored.
        action: What was asked for.
        say: Words for the customer from the policy, in `language`; empty if the policy has none.
        reasons: Why, the deciding ones first.
        entry: Position in the audit log of the last entry about it, or None where nothing was stored.
        leaf: The hash of that entry: kept with the position, it finds a log that was rewritten (`guard.seals.kept`).
        replayed: True where the same key had been answered before.
        would_be: What the policies would have decided, where the guard only observes; None where they were enforced.
    """

    decision_id: str
    action: str
    say: str = ""
    language: str = ""
    reasons: tuple[Reason, ...] = ()
    entry: int | None = None
    leaf: str = ""
    replayed: bool = False
    would_be: Verdict | None = None

    status: ClassVar[str] = ""
    executed: ClassVar[bool | None] = False
    retryable: ClassVar[bool] = False
    next_step: ClassVar[str] = ""

    @property
    def reason_code(self) -> str:
        """The code of the first deciding reason, or empty."""
        return self.reasons[0].code if self.reasons else ""

    def for_model(self) -> dict[str, Any]:
        """Return what a model may hear, with the same keys in every framework; nothing of what was not enforced."""
        reasons = self.reasons if self.would_be is None else ()
        heard: dict[str, Any] = {
            "status": self.status,
            "executed": self.executed,
            "retryable": self.retryable,
            "decision_id": self.decision_id,
            "reason_code": self.reason_code if self.would_be is None else "",
            "say_to_customer": self.say,
            "next_step": self.next_step,
        }
        disclosed = [reason.because for reason in reasons if reason.disclose is Disclose.THRESHOLD and reason.because]
        if disclosed and not self.executed:
            heard["reason"] = disclosed[0]
        return heard

    def __str__(self) -> str:
        return f"{self.action}: {self.status}{f': {codes}' if (codes := self._codes()) else ''}"

    def _codes(self) -> str:
        against = (reason for reason in self.reasons if reason.verdict > Verdict.ALLOW)
        return ", ".join(
            f"{reason.code} ({reason.source}{f': {reason.detail}' if reason.detail else ''})" for reason in against
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Answer):
    """The tool did it.

    Attributes:
        result: What the tool returned; on a repeated key what was kept of it, or None where it could not be kept.
        result_kept: False where the result could not be stored for a repeated key.
    """

    result: Any = None
    result_kept: bool = True

    status: ClassVar[str] = "done"
    executed: ClassVar[bool | None] = True

    def for_model(self) -> dict[str, Any]:
        """Return what a model may hear; `status` says `already_done` where the same key had been done before."""
        heard = Answer.for_model(self)
        heard["status"] = "already_done" if self.replayed else "done"
        heard["next_step"] = (
            "It was done before, under this same request. Do not call this tool again for it." if self.replayed else ""
        )
        return heard

    def __str__(self) -> str:
        observed = "" if self.would_be is None else f", observed: {self.would_be}"
        codes = f" by {found}" if observed and (found := self._codes()) else ""
        return f"{self.action}: {'already_done' if self.replayed else 'done'}{observed}{codes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Answer):
    """People have to decide first; nothing was done. Where several routes were asked for, all are in `escalations`.

    Attributes:
        approved: They approved it, and nobody has gone on with it yet.
    """

    escalations: tuple[WaitsFor, ...] = ()
    approved: bool = False

    status: ClassVar[str] = "waiting"
    next_step: ClassVar[str] = (
        "A person has to decide. Do not call this tool again for this request, and do not say that it was done."
    )

    def for_model(self) -> dict[str, Any]:
        """Return what a model may hear; that it was approved does not mean that it was done."""
        heard = Answer.for_model(self)
        if self.approved:
            heard["next_step"] = (
                "A person approved it, and it has not been done yet. Do not call this tool again for this request, and "
                "do not say that it was done."
            )
        return heard

    def __str__(self) -> str:
        if self.approved:
            return f"{self.action}: {self.status}: approved, not done yet"
        asked = "; ".join(str(one) for one in self.escalations)
        return f"{Answer.__str__(self)}; for {asked}"

    @property
    def escalation(self) -> WaitsFor:
        """The first escalation it waits for."""
        return self.escalations[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied(Answer):
    """The policy refused it; nothing was done.

    Attributes:
        may_retry: True only where a lookup failed, or only the customer's yes is missing: asking again under the same
            key decides again.
        problems: What is wrong with the arguments, in words a model may hear.
        upheld_as: The action that a person asked for instead, after the customer contested it; only `guard.check` says
            so.
    """

    may_retry: bool = False
    problems: tuple[str, ...] = ()
    upheld_as: str = ""

    status: ClassVar[str] = "denied"

    def for_model(self) -> dict[str, Any]:
        """Return what a model may hear; wrong arguments are named, so that it can send right ones."""
        heard = Answer.for_model(self)
        heard["retryable"] = self.may_retry or bool(self.problems)
        told = "what was said here" if self.say else "that it was not done"
        heard["next_step"] = f"Do not try again with other values to get around this. Tell the customer {told}."
        if self.problems:
            heard["problems"] = list(self.problems)
            heard["next_step"] = "Correct the arguments named in `problems` and call the tool again with a new call."
        elif self.reason_code == "not_confirmed":
            heard["next_step"] = (
                "Tell the customer exactly what would be done and ask for a yes. Once they have said yes, call the "
                "tool again with the same arguments."
            )
        elif self.upheld_as:
            heard["next_step"] = (
                f"The customer contested it, and people agreed with them: look at decision `{self.upheld_as}`. Do not "
                "call this tool again for it."
            )
        elif self.may_retry:
            heard["next_step"] = "Something could not be looked up. You may try the same request again in a moment."
        return heard

    def __str__(self) -> str:
        if self.problems:
            return "; ".join((f"{self.action}: {self.status}: {self.reason_code}", *self.problems))
        return Answer.__str__(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone(Answer):
    """The policy allowed it, and the tool says that definitely nothing happened; what was held is given back."""

    error: str = ""

    status: ClassVar[str] = "not_done"
    next_step: ClassVar[str] = "It was not done. Say so; a new request may be made."

    def __str__(self) -> str:
        return _with_error(Answer.__str__(self), self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt(Answer):
    """Nobody knows yet whether it happened; what was held stays held until somebody does."""

    error: str = ""

    status: ClassVar[str] = "in_doubt"
    executed: ClassVar[bool | None] = None
    next_step: ClassVar[str] = (
        "It is not known whether it was done. Do not call it again and do not say that it was or was not."
    )

    def __str__(self) -> str:
        return _with_error(Answer.__str__(self), self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable(Answer):
    """The guard could not decide or record; nothing ran and nothing was stored under this key by this call."""

    cause: str = ""

    status: ClassVar[str] = "unavailable"
    retryable: ClassVar[bool] = True
    next_step: ClassVar[str] = (
        "It was not done because a system is not available. You may try the same request again later."
    )

    @property
    def reason_code(self) -> str:
        """Why the guard is unavailable: `store`, `stale_facts`, `in_progress`, `halted`, `bundle`."""
        return self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Answer):
    """Allowed and held, not begun: the answer of `propose`. `guard.execute(decision_id)` begins it until `until`."""

    until: datetime

    status: ClassVar[str] = "ready"
    next_step: ClassVar[str] = "It is allowed and has not been done yet."


def _with_error(text: str, error: str) -> str:
    return f"{text}: {error}" if error else text
