"""The stop button: a row in the store that is read before every decision and before every beginning.

One person stops. Where it is said who may let go, it takes two by default: whoever stopped in a hurry is not alone in
finding that it is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from agentguard.core.language.suggest import did_you_mean
from agentguard.engine import powers
from agentguard.engine.headroom import RECENT
from agentguard.engine.parts import Parts
from agentguard.engine.powers import MAX_CHARACTERS, Permit, Person, Use
from agentguard.errors import AgentGuardError, UsageError
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction
from agentguard.store.records import EntryFilter

log = get_logger("stop")


@dataclass(frozen=True, slots=True)
class Resumption:
    """What came of letting go; true if something goes on.

    Attributes:
        changed: False if it was not stopped, or if somebody else has to say the same first.
        missing: How many more people it takes.
        entry: Position of the entry about it.
    """

    target: str
    changed: bool
    missing: int
    entry: int

    def __bool__(self) -> bool:
        return self.changed


def halt(parts: Parts, target: str, tenant: str, **person: Unpack[Person]) -> str:
    """Stop `all`, one `action:…` or one `agent:…`, and return why this may stop nothing; nothing if it is known.

    Whoever mistypes a name in a hurry must not be told that all is well, and what is not known yet can be stopped too.

    Raises:
        PowerRefusedError: This person may not.
        UsageError: The target is none of these, or nobody and no reason is named.
    """
    _check(target)

    def work(transaction: Transaction, permit: Permit) -> None:
        """Write the stop and the entry that says who pressed it."""
        transaction.halt(target, permit.by, permit.use.why)
        transaction.append({"tenant": tenant, "kind": "halted", "target": target, **permit.recorded()})

    powers.used(parts, Use("halt", target, tenant, **person), work)
    try:
        doubt = parts.store.read(lambda reading: _doubt(parts, reading, target))
    except AgentGuardError as error:
        doubt = f"whether there is anything called `{target}` could not be found out (`{error.code}`)"
    if doubt:
        log.warning("guard.halt_unknown", target=target, reason=doubt)
    return doubt


def _doubt(parts: Parts, reading: Reading, target: str) -> str:
    kind, _, name = target.partition(":")
    known: set[str] = set()
    if kind == "action":
        known = {action for bundle in parts.force.every(reading) for action in bundle.actions()}
        missing = f"no policy in force has an action `{name}`"
    elif kind == "agent":
        newest = reading.entries(0, RECENT, EntryFilter(kind="decided"), newest_first=True)
        known = {str(entry.document["actor"]["id"]) for entry in newest if not entry.is_purged}
        missing = f"none of the newest {RECENT:,} decisions is about an agent `{name}`"
    else:
        return ""
    return "" if name in known else f"{missing}, so that this may stop nothing{did_you_mean(name, sorted(known))}"


def resume(parts: Parts, target: str, tenant: str, **person: Unpack[Person]) -> Resumption:
    """Let go on what was stopped, once enough people say so.

    Raises:
        PowerRefusedError: This person may not, or has said so already and somebody else has to.
        UsageError: The target is none of these, or nobody and no reason is named.
    """
    _check(target)

    def work(transaction: Transaction, permit: Permit) -> Resumption:
        """Lift the stop, if enough people have said so."""
        stopped = any(halt.target == target for halt in transaction.halts())
        agreement = permit.together(transaction) if stopped else powers.ALONE
        if agreement.missing:
            return Resumption(target, False, agreement.missing, agreement.entry)
        transaction.resume(target)
        body = {"tenant": tenant, "kind": "resumed", "target": target, **permit.recorded(agreement)}
        written = transaction.append({**body, "was_halted": stopped})
        return Resumption(target, stopped, 0, written.pos)

    return powers.used(parts, Use("resume", target, tenant, **person), work)


def _check(target: object) -> None:
    if not isinstance(target, str) or len(target) > MAX_CHARACTERS:
        raise UsageError(f"expected `target` as text of at most {MAX_CHARACTERS} characters")
    kind, _, name = target.partition(":")
    if target != "all" and not (kind in ("action", "agent") and name):
        raise UsageError(f"expected `all`, `action:refund.issue` or `agent:support-bot`, got `{target[:100]}`")
