"""People who come and go, for tests of what waits for them."""

from datetime import date

from agentguard.core.people import Absence, People, User
from agentguard.engine.directory import Asked
from agentguard.engine.packet import packet

NAMES = ("maria", "tom", "ada", "kim")


def people(*, leads=("maria", "tom"), finance=("ada", "kim"), unverified=True, absent=None, names=NAMES, logins=()):
    """Return people; `absent` is who is away, whom they named instead, and the first and the last day."""
    away = {}
    if absent:
        who, delegate, first, last = (*absent, date(2026, 1, 1), date(2027, 12, 31))[:4]
        away = {who: (Absence(first, last, delegate),)}
    known = {
        name: User(name, name.title(), frozenset({name, *dict(logins).get(name, ())}), absences=away.get(name, ()))
        for name in names
    }
    groups = {"leads": frozenset(leads), "finance": frozenset(finance)}
    return People(users=known, groups=groups, allow_unverified=unverified)


def staffed(shop, found):
    """Let a shop have these people from now on; a function is asked each time."""
    shop.guard._parts.directory = Asked(found if callable(found) else lambda: found)
    return shop


def approve(shop, waiting, by="maria", **more):
    named = getattr(waiting, "escalation", None)
    return shop.guard.escalations.approve(
        waiting if named is None else named.id, by=by, reason_code=more.pop("reason_code", "goodwill"), **more
    )


def reject(shop, waiting, by="maria"):
    return shop.guard.escalations.reject(waiting.escalation.id, by=by, reason_code="not_entitled")


def notes(shop, escalation_id):
    """Return what voters noted, as whoever may see what is personal reads it."""
    found = shop.guard.store.read(lambda reading: packet(shop.guard._parts, reading, escalation_id, personal=True))
    return [vote.note for vote in found.votes]


def bodies(shop, kind):
    return [entry.document for entry in shop.guard.audit.list(kind=kind)]
