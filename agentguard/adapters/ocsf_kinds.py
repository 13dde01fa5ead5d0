"""What each kind of entry is in OCSF: which activity, how it was disposed of, whether it went well, how grave it is.

Every number is one of the published schema's; the manual's table is this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from agentguard.core.people import POWERS


class Activity(IntEnum):
    """What an API call did, of the class API Activity."""

    CREATE = 1
    READ = 2
    UPDATE = 3
    DELETE = 4
    OTHER = 99


class Disposition(IntEnum):
    """What the control made of it, of the profile security_control."""

    ALLOWED = 1
    BLOCKED = 2
    DELETED = 5
    APPROVED = 8
    RESTORED = 9
    CORRECTED = 11
    DELAYED = 14
    LOGGED = 17
    ALERT = 19
    REJECTED = 25
    UNAUTHORIZED = 26
    ERROR = 27


class Severity(IntEnum):
    """How grave it is."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class Status(IntEnum):
    """Whether it went well."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2


DENIED = frozenset({Disposition.BLOCKED, Disposition.REJECTED, Disposition.UNAUTHORIZED})
"""Dispositions whose action is `Denied`; every other one's is `Allowed`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of entry is in OCSF.

    Attributes:
        alert: Somebody should look at it.
    """

    activity: Activity
    disposition: Disposition
    severity: Severity = Severity.INFORMATIONAL
    status: Status = Status.SUCCESS
    alert: bool = False


_CREATE, _READ, _UPDATE, _DELETE = Activity.CREATE, Activity.READ, Activity.UPDATE, Activity.DELETE
_LOW, _MEDIUM, _HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH
_FAILED, _OPEN = Status.FAILURE, Status.UNKNOWN

ALLOWED = Kind(_CREATE, Disposition.ALLOWED)
DELAYED = Kind(_CREATE, Disposition.DELAYED, _LOW)
BLOCKED = Kind(_CREATE, Disposition.BLOCKED, _LOW, _FAILED)
APPROVED = Kind(_UPDATE, Disposition.APPROVED)
REJECTED = Kind(_UPDATE, Disposition.REJECTED, _LOW, _FAILED)
DIFFERS = Kind(_READ, Disposition.ALERT, _HIGH, _FAILED, alert=True)
"""What books are that say something else than the record."""
OBSERVED = Kind(_CREATE, Disposition.LOGGED)
"""What a decision is that was recorded and not enforced."""
ENFORCES_NOTHING = Kind(_UPDATE, Disposition.LOGGED, _HIGH, alert=True)
"""What the start of a guard is that only observes."""
TAMPERED = Kind(Activity.OTHER, Disposition.ALERT, _HIGH, _FAILED, alert=True)
"""What an entry is that does not say any more what it said."""
UNKNOWN = Kind(Activity.OTHER, Disposition.LOGGED, status=_OPEN)
"""What an entry is whose kind this version does not know, or whose text was purged."""

_LOGGED = Kind(_UPDATE, Disposition.LOGGED)
_SEEN = Kind(_READ, Disposition.LOGGED)
_NOTED = Kind(_CREATE, Disposition.LOGGED)
_DOUBT = Kind(_UPDATE, Disposition.ERROR, _MEDIUM, _OPEN, alert=True)
_NO_POWER = Kind(_UPDATE, Disposition.UNAUTHORIZED, _MEDIUM, _FAILED, alert=True)
_UNDELIVERED = Kind(_UPDATE, Disposition.ERROR, _MEDIUM, _FAILED, alert=True)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # What became of an action; `decided` and `voted` go by what they say.
        "decided": ALLOWED,
        "voted": APPROVED,
        "refused": BLOCKED,
        "proposed": _NOTED,
        "recorded": _NOTED,
        "settled": Kind(_UPDATE, Disposition.ALLOWED),
        "released": Kind(_UPDATE, Disposition.ALLOWED, status=_FAILED),
        "in_doubt": _DOUBT,
        "sent_again": Kind(_UPDATE, Disposition.ALLOWED, _LOW, _OPEN),
        "taken_up": Kind(_READ, Disposition.LOGGED, _LOW, _OPEN),
        "late_report": Kind(_UPDATE, Disposition.ALERT, _MEDIUM, _OPEN, alert=True),
        "undone": _LOGGED,
        "counted": _LOGGED,
        "key_conflict": Kind(_CREATE, Disposition.REJECTED, _MEDIUM, _FAILED, alert=True),
        # What people said about it.
        "viewed": _SEEN,
        "vote_refused": _NO_POWER,
        "passed_on": Kind(_UPDATE, Disposition.DELAYED, _LOW),
        "reminded": Kind(_UPDATE, Disposition.DELAYED),
        "reopened": Kind(_UPDATE, Disposition.DELAYED, _LOW),
        "amended": Kind(_UPDATE, Disposition.CORRECTED, _LOW),
        "rejected": REJECTED,
        "expired": REJECTED,
        "withdrawn": REJECTED,
        "contested": Kind(_CREATE, Disposition.DELAYED, _LOW),
        "contest_ended": _LOGGED,
        "confirmed": Kind(_CREATE, Disposition.APPROVED),
        "told": _NOTED,
        # What operators did.
        "activated": Kind(_UPDATE, Disposition.ALLOWED, _LOW),
        "activate_withdrawn": REJECTED,
        "halted": Kind(_UPDATE, Disposition.BLOCKED, _HIGH, alert=True),
        "resumed": Kind(_UPDATE, Disposition.RESTORED, _MEDIUM),
        "clock_confirmed": Kind(_UPDATE, Disposition.CORRECTED, _MEDIUM),
        "started": Kind(_UPDATE, Disposition.RESTORED, _MEDIUM),
        "schema_upgraded": Kind(_UPDATE, Disposition.LOGGED, _LOW),
        "power_refused": _NO_POWER,
        **{f"{power}_asked": Kind(_UPDATE, Disposition.DELAYED, _LOW, _OPEN) for power in sorted(POWERS)},
        "notice_given_up": _UNDELIVERED,
        "channel_stopped": _UNDELIVERED,
        # The log itself.
        "key_introduced": Kind(_CREATE, Disposition.ALLOWED, _MEDIUM),
        "restored": Kind(_UPDATE, Disposition.RESTORED, _HIGH, alert=True),
        "exported": Kind(_READ, Disposition.ALLOWED, _LOW),
        "personal_read": Kind(_READ, Disposition.ALLOWED, _LOW),
        "erasing": Kind(_DELETE, Disposition.ALLOWED, _LOW, _OPEN),
        "erased": Kind(_DELETE, Disposition.DELETED, _LOW),
        "erasure_deferred": Kind(_DELETE, Disposition.DELAYED, _LOW, _OPEN),
        "legal_hold_set": Kind(_CREATE, Disposition.ALLOWED, _LOW),
        "legal_hold_lifted": Kind(_DELETE, Disposition.ALLOWED, _LOW),
        "purged": Kind(_DELETE, Disposition.DELETED, _LOW),
        "review_drawn": _NOTED,
        "review_opened": _SEEN,
        "reviewed": _LOGGED,
        "reconciled": _SEEN,
        "incident_noted": Kind(_CREATE, Disposition.ALERT, _MEDIUM, alert=True),
    }
)
