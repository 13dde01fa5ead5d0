"""Whether votes, the policies in force and what is stopped still are as the log says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select

from agentguard.core.digest import digest
from agentguard.store.legal_holds import contradicted
from agentguard.store.reading import Reading
from agentguard.store.tables import SELDOM, ActivationRow, EntryRow, EscalationRow, HaltRow, PolicyTextRow, VoteRow
from agentguard.store.verification.agreement import Body, Report, said_by

_activation = ActivationRow.__table__
_entry = EntryRow.__table__
_escalation = EscalationRow.__table__
_halt = HaltRow.__table__
_vote = VoteRow.__table__
_SAID = ("bundle", "canary", "share", "salt")


class Put(NamedTuple):
    """What was put into force: a bundle, and the canary beside it, how many it decides for, its salt's digest."""

    bundle: Any
    canary: Any
    share: Any
    salt: Any


def check_policies(reading: Reading, report: Report) -> None:
    """Compare each text of a policy with the digest that entries name it by."""
    table = PolicyTextRow.__table__
    for row in reading.rows(select(table.c.digest, table.c.name, table.c.version, table.c.text)):
        if digest(row["text"].encode()) != row["digest"]:
            words = f"expected the text of policy `{row['name']}` {row['version']} as stored, got another"
            report(None, "policy", words)


def check_votes(reading: Reading, report: Report) -> None:
    """Compare the votes with the entries that record them; what was purged cannot be compared any more."""
    recorded: dict[tuple[str, str], tuple[int, Body]] = {}
    voted = select(_entry.c.pos, _entry.c.body).where(_entry.c.kind == "voted", SELDOM)
    for row in reading.rows(voted.order_by(_entry.c.pos)):
        vote = (said_by(bytes(row["body"])) or {}).get("vote")
        if isinstance(vote, dict):
            recorded[(str(vote.get("escalation")), str(vote.get("voter")))] = row["pos"], vote
    purged = select(_entry.c.action_id).where(_entry.c.kind == "voted", SELDOM, func.length(_entry.c.body) == 0)
    about = select(_escalation.c.id).where(_escalation.c.action_id.in_(purged))
    votes = select(_vote).where(_vote.c.escalation.not_in(about))
    for row in reading.rows(votes.order_by(_vote.c.escalation, _vote.c.voter)):
        name = f"the vote of `{row['voter']}` on escalation `{row['escalation']}`"
        _, said = recorded.pop((row["escalation"], row["voter"]), (0, None))
        if said is None:
            report(None, "vote", f"expected an entry that records {name}, got none: nobody cast it")
        elif not _is_vote(row, said_by(row["document"].encode()) or {}, said):
            report(None, "vote", f"expected {name} as its entry says, got another: it was changed")
    for (escalation, voter), (position, _) in sorted(recorded.items()):
        report(
            position, "vote", f"expected the vote of `{voter}` on escalation `{escalation}`, got none: it was removed"
        )


def _is_vote(row: Mapping[str, Any], document: Body, said: Body) -> bool:
    return document == said and bool(row["approve"]) is said.get("approve")


def check_in_force(reading: Reading, report: Report) -> None:
    """Compare which bundles were put into force, what is stopped and what is held with the entries about them."""
    activated: list[Put] = []
    stopped: set[str] = set()
    kinds = _entry.c.kind.in_(("activated", "halted", "resumed"))
    for row in reading.rows(select(_entry.c.kind, _entry.c.body).where(kinds, SELDOM).order_by(_entry.c.pos)):
        body = said_by(bytes(row["body"])) or {}
        if row["kind"] == "activated":
            activated.append(_put(body))
        elif row["kind"] == "halted":
            stopped.add(body.get("target", ""))
        else:
            stopped.discard(body.get("target", ""))
    rows = reading.rows(select(*(_activation.c[name] for name in _SAID)).order_by(_activation.c.n))
    put = [Put(row["bundle"], row["canary"], row["share"], _named(row["salt"])) for row in rows]
    if put != activated:
        report(None, "activation", "expected the bundles put into force as their entries say, got others")
    for target in sorted({row["target"] for row in reading.rows(select(_halt.c.target))} ^ stopped):
        report(None, "halt", f"expected the stop of `{target}` as its entries say, got it set or lifted without one")
    for name in contradicted(reading):
        report(None, "legal_hold", f"expected legal hold `{name}` as its entries say, got it set, lifted or changed")


def _put(body: Body) -> Put:
    canary = body.get("canary") or {}
    return Put(body.get("bundle", ""), canary.get("bundle"), canary.get("share"), canary.get("salt"))


def _named(salt: str | None) -> str | None:
    return None if salt is None else digest(salt.encode())
