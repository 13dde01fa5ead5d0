"""The stop button: a row in the store that is read before every decision and before every beginning."""

from __future__ import annotations

from agentguard.errors import UsageError
from agentguard.store import Store, Transaction

MAX_CHARACTERS = 2_000


def halt(store: Store, target: str, *, by: str, why: str, tenant: str = "default") -> None:
    """Stop `all`, one `action:…` or one `agent:…`.

    Raises:
        UsageError: The target is none of these, or nobody and no reason is named.
    """
    _checked(target, by, why)

    def work(transaction: Transaction) -> None:
        transaction.halt(target, by, why)
        transaction.append({"tenant": tenant, "kind": "halted", "target": target, "by": by, "why": why})

    store.transact(work)


def resume(store: Store, target: str, *, by: str, why: str, tenant: str = "default") -> bool:
    """Let go on what was stopped; False if it was not.

    Raises:
        UsageError: The target is none of these, or nobody and no reason is named.
    """
    _checked(target, by, why)

    def work(transaction: Transaction) -> bool:
        resumed = transaction.resume(target)
        body = {"tenant": tenant, "kind": "resumed", "target": target, "by": by, "why": why, "was_halted": resumed}
        transaction.append(body)
        return resumed

    return store.transact(work)


def require_person(by: str, why: str) -> None:
    """Refuse what nobody says, or for no reason.

    Raises:
        UsageError: Nobody and no reason is named, or at too great length.
    """
    texts: tuple[object, ...] = (by, why)
    if not all(isinstance(text, str) and len(text) <= MAX_CHARACTERS for text in texts):
        raise UsageError(f"expected `by` and `why` as text of at most {MAX_CHARACTERS} characters")
    if not by or not why:
        raise UsageError("expected who does this (`by`) and a reason (`why`), got nothing; both go into the record")


def _checked(target: object, by: str, why: str) -> None:
    if not isinstance(target, str) or len(target) > MAX_CHARACTERS:
        raise UsageError(f"expected `target` as text of at most {MAX_CHARACTERS} characters")
    require_person(by, why)
    kind, _, name = target.partition(":")
    if target != "all" and not (kind in ("action", "agent") and name):
        raise UsageError(f"expected `all`, `action:refund.issue` or `agent:support-bot`, got `{target[:100]}`")
