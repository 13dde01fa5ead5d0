"""Every error that agentguard raises, as one tree with stable codes.

A refusal is not in it: a refused action is an answer (`Denied`), and only the function decorator raises, since a
function has nothing else to return.

    AgentGuardError
    ├── PolicyError            policy files are wrong; every problem with file, line, column and code
    ├── LanguageError          one condition is wrong; problems with offsets (policyfile turns them into a PolicyError)
    ├── EvaluationError        a condition could not be evaluated (law 9 says what follows)
    ├── ConformError           a value does not fit its declared type
    ├── MoneyError             an amount or currency that is not one, or two currencies mixed
    ├── ConfigurationError     tools and facts do not match what the policies declare; every mismatch at once
    ├── ProofError             a proof does not show what it should, or cannot be made
    ├── NoteError              a key, signed note, checkpoint or receipt is not one
    │   └── UnverifiedError    it is one, and nobody who is trusted signed it
    ├── WitnessUnavailableError  a witness cannot be reached, or does not know this log
    ├── WitnessMovedError      a witness has a checkpoint of another size than it was told
    ├── WitnessRefusedError    a witness has another log than the one that it was shown
    ├── PeopleUnavailableError who the people are cannot be told now: nobody may act
    ├── UsageError             the host called agentguard wrongly (not the model, not the customer)
    │   ├── KeyConflictError   the same key was used for another request
    │   ├── VoteRefusedError   somebody may not decide this escalation, or not so
    │   ├── PowerRefusedError  somebody may not stop, let go or the like, or not alone
    │   ├── NotFoundError      no action, escalation or entry has this id
    │   ├── RecordingError     some of many deeds cannot be recorded; all of them with their numbers
    │   ├── PolicyVersionError the same policy and version is already stored with another text
    │   └── AmountTooLargeError an amount is negative or past what one movement may be
    ├── NotAllowedError        raised only by guarded functions; carries the answer
    ├── UndeliveredError       raised by a channel: nobody was told of an event
    ├── NotDoneError           raised by a tool: definitely nothing happened
    └── StoreError             the store cannot do it
        ├── StoreUnavailableError  locked, read-only, full, unreachable: nothing was stored
        │   └── ClockError         nobody can rely on what time it is: nothing is decided or begun
        ├── StoreSchemaError       the database was made by another version
        ├── StaleFenceError        somebody else moved the action or escalation first
        ├── TamperedError          what is stored contradicts itself
        │   └── BundleUnreadableError  policies cannot be read from the store, by this version at least
        └── LogRolledBackError     the log is older than what a witness has of it, or another one: nobody may act
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file, where it is, and what to do.

    Lines and columns count from 1; 0 means the whole file.
    """

    file: str
    line: int
    column: int
    code: str
    message: str

    @property
    def place(self) -> str:
        """Where it is, as editors read it: `refunds.yaml:14:9`, or the file alone where it is about the whole."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place} {self.code} {self.message}".lstrip()


class AgentGuardError(Exception):
    """The root of everything that agentguard raises; `code` is stable, the text is not."""

    code = "error"


class PolicyError(AgentGuardError):
    """Policy files are wrong; `problems` holds all of them, in the order of their places."""

    code = "policy_invalid"

    def __init__(self, problems: list[Problem] | tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LanguageError(AgentGuardError):
    """A condition or a type is wrong; `problems` are (offset in the text, code, message)."""

    code = "condition_invalid"

    def __init__(self, problems: list[tuple[int, str, str]] | tuple[tuple[int, str, str], ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(f"at {offset}: {message}" for offset, _, message in self.problems))


class EvaluationError(AgentGuardError):
    """A condition could not be evaluated: a fact is missing, a lookup failed, a bound was passed.

    Attributes:
        reason: A stable word: `missing`, `unknown`, `overflow`, `inexact`, `currency`, `empty`, `no_calendar`, `bound`,
            `ill_typed`.
        name: The full name that could not be read, if that was it.
        start, end: Offsets in the condition's text.
    """

    code = "cannot_evaluate"

    def __init__(self, reason: str, message: str, name: str | None = None, start: int = 0, end: int = 0) -> None:
        self.reason = reason
        self.name = name
        self.start = start
        self.end = end
        super().__init__(message)


class ConformError(AgentGuardError):
    """A value does not fit its declared type; `reason` is a stable word such as `not_a_number`."""

    code = "value_invalid"

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class MoneyError(AgentGuardError):
    """Text or a number is not an exact amount of a known currency, or two currencies were mixed."""

    code = "money_invalid"


class ConfigurationError(AgentGuardError):
    """The registered tools and facts do not match the policies; `mismatches` holds every one."""

    code = "configuration_invalid"

    def __init__(self, mismatches: list[str] | tuple[str, ...]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__("\n".join(self.mismatches))


class PeopleUnavailableError(AgentGuardError):
    """Who the people are cannot be told now, since their file broke or vanished, or the host's function raised."""

    code = "people_unavailable"


class ProofError(AgentGuardError):
    """A proof about a log does not show what it should, or was asked of a log that has no such entry."""

    code = "proof"


class NoteError(AgentGuardError):
    """A text is not the key, signed note, checkpoint, cosignature or receipt that it should be."""

    code = "note"


class UnverifiedError(NoteError):
    """A note is well formed, and nobody who is trusted signed it, or not this text."""

    code = "unverified"


class WitnessUnavailableError(AgentGuardError):
    """A witness cannot be reached, does not know this log or its key, or answers what cannot be understood."""

    code = "witness_unavailable"


class WitnessMovedError(AgentGuardError):
    """A witness has a checkpoint of another size than it was told; `size` is how many entries that one covers."""

    code = "witness_moved"

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"the witness has a checkpoint of {size} entries")


class WitnessRefusedError(AgentGuardError):
    """A witness has another log than the one that it was shown: one was rewritten, put back, or went on twice."""

    code = "witness_refused"


class UsageError(AgentGuardError):
    """The host called agentguard in a way that cannot work; the message says what to do instead."""

    code = "usage"


class KeyConflictError(UsageError):
    """The same key came with a different request; nothing was decided and nothing ran (law 3)."""

    code = "key_conflict"


class VoteRefusedError(UsageError):
    """Somebody tried to decide an escalation and may not; `why` is a stable code, and the log has an entry of it."""

    code = "vote_refused"

    def __init__(self, why: str, words: str) -> None:
        self.why = why
        super().__init__(words)


class PowerRefusedError(UsageError):
    """Somebody wants to do what they have no power to; `why` is a stable code, and the log has an entry of it."""

    code = "power_refused"

    def __init__(self, why: str, words: str) -> None:
        self.why = why
        super().__init__(words)


class NotFoundError(UsageError):
    """No action, escalation, entry or policy has this id."""

    code = "not_found"


class RecordingError(UsageError):
    """Some of many deeds cannot be recorded; `problems` holds each with its number, and nothing was stored."""

    code = "recording_invalid"

    def __init__(self, problems: list[tuple[int, str]] | tuple[tuple[int, str], ...]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"number {number}: {message}" for number, message in self.problems))


class PolicyVersionError(UsageError):
    """The same policy and version is stored with another text; raise the `version` in the file."""

    code = "policy_version"


class AmountTooLargeError(UsageError):
    """A movement on an account is negative, or past the bound on one movement or one account."""

    code = "amount_too_large"


class NotAllowedError(AgentGuardError):
    """A guarded function was called and its action did not run to `done`; `answer` says why.

    Its text often reaches a model, so it says no more than a model may hear (law 15).
    """

    code = "not_allowed"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        problems = "; ".join(getattr(answer, "problems", ()))
        super().__init__(f"{answer.action}: {answer.status} ({problems or answer.reason_code})")


class UndeliveredError(AgentGuardError):
    """Raised by a channel of notices that could not deliver an event.

    Attributes:
        reason: A short stable word for why, with nothing personal in it.
        retry_after: How long the receiver asked to be left alone.
        refused: The receiver will never take this event; others it may.
        gone: The receiver is gone for good: nothing more is sent there.
    """

    code = "undelivered"

    def __init__(
        self, reason: str, *, retry_after: timedelta | None = None, refused: bool = False, gone: bool = False
    ) -> None:
        self.reason = reason[:100]
        self.retry_after = retry_after
        self.refused = refused
        self.gone = gone
        super().__init__(self.reason)


class NotDoneError(AgentGuardError):
    """Raised by a tool to say that definitely nothing happened, so that its hold is given back.

    Every other exception from a tool is an unknown outcome: the hold stays until somebody knows (law 6).
    """

    code = "not_done"


class StoreError(AgentGuardError):
    """The store could not do what was asked; nothing of it was kept."""

    code = "store"


class StoreUnavailableError(StoreError):
    """The database is locked, read-only, full or unreachable; nothing was stored and nothing ran."""

    code = "store_unavailable"


class ClockError(StoreUnavailableError):
    """The clock jumped, or is not the database server's; nothing is decided or begun until somebody has looked."""

    code = "clock"


class StoreSchemaError(StoreError):
    """The database was made by an older or newer version; the message says what to do."""

    code = "store_schema"


class StaleFenceError(StoreError):
    """Somebody else moved the action or the escalation first; nothing of this transaction was kept."""

    code = "stale_fence"


class TamperedError(StoreError):
    """What is stored contradicts itself: a chain that does not join, a text that has another digest."""

    code = "tampered"


class BundleUnreadableError(TamperedError):
    """Policies cannot be read from the store: a text is missing or another one, or this version does not know it."""

    code = "bundle_unreadable"


class LogRolledBackError(StoreError):
    """The log is older than what a witness has of it, or another one; nobody acts until a person has looked.

    `agentguard audit restored` says that it is so on purpose.
    """

    code = "log_rolled_back"
