"""Declarative policy, spending limits, escalation and an append-only audit log around what an LLM agent does.

`Guard` is where to begin; everything public is here by name, and the modules inside are free to move.
A name is imported when somebody first asks for it: the command line and many a module of a program need only a few.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from agentguard.core.canary import Canary, Side
    from agentguard.core.casefile import CaseFile
    from agentguard.core.decision import Decision, Reason
    from agentguard.core.letter import Letter
    from agentguard.core.money import Money
    from agentguard.core.packet import Packet
    from agentguard.core.people import Absence, People, Power, User
    from agentguard.core.policy import Bundle, Verdict
    from agentguard.core.request import Actor
    from agentguard.core.review_report import ReviewReport
    from agentguard.core.reviews import ReviewCase
    from agentguard.engine.about import About
    from agentguard.engine.activation import Activation
    from agentguard.engine.affected import Suspect
    from agentguard.engine.answers import Answer, Denied, Done, InDoubt, NotDone, Ready, Unavailable, Waiting, WaitsFor
    from agentguard.engine.canary_groups import Groups
    from agentguard.engine.change import Change
    from agentguard.engine.changes import Proposal
    from agentguard.engine.channel import Channel, Only
    from agentguard.engine.confirming import Confirmation
    from agentguard.engine.considering import Considered
    from agentguard.engine.contesting import Contested
    from agentguard.engine.deeds import Deed, GivenBack, LimitStanding, Recorded
    from agentguard.engine.effect import Idempotent, Queryable, Read, Retry, Unprotected
    from agentguard.engine.erasing import Erasure
    from agentguard.engine.event import Event
    from agentguard.engine.gather import Observed
    from agentguard.engine.guard import Guard
    from agentguard.engine.headroom import Headroom
    from agentguard.engine.judging import Judgement
    from agentguard.engine.parts import Waits
    from agentguard.engine.privacy import Look
    from agentguard.engine.purging import Purge
    from agentguard.engine.reconciling import Scope
    from agentguard.engine.redrawing import Redrawn
    from agentguard.engine.reloading import Reload
    from agentguard.engine.rounds import Round
    from agentguard.engine.sealing import Sealing
    from agentguard.engine.signing import SigningKeyFile
    from agentguard.engine.streaming import Follower
    from agentguard.engine.subjects import Subject
    from agentguard.engine.told import Telling
    from agentguard.engine.voting import Ballot
    from agentguard.errors import (
        AgentGuardError,
        ConfigurationError,
        KeyConflictError,
        MoneyError,
        NotAllowedError,
        NotDoneError,
        NotFoundError,
        PeopleUnavailableError,
        PolicyError,
        PolicyVersionError,
        PowerRefusedError,
        RecordingError,
        StoreError,
        StoreUnavailableError,
        UndeliveredError,
        UsageError,
        VoteRefusedError,
    )
    from agentguard.store.legal_holds import LegalHold
    from agentguard.store.payments import Payment, Payments
    from agentguard.store.verification import Kept

__all__ = [
    "About",
    "Absence",
    "Activation",
    "Actor",
    "AgentGuardError",
    "Answer",
    "Ballot",
    "Bundle",
    "Canary",
    "CaseFile",
    "Change",
    "Channel",
    "ConfigurationError",
    "Confirmation",
    "Considered",
    "Contested",
    "Decision",
    "Deed",
    "Denied",
    "Done",
    "Erasure",
    "Event",
    "Follower",
    "GivenBack",
    "Groups",
    "Guard",
    "Headroom",
    "Idempotent",
    "InDoubt",
    "Judgement",
    "Kept",
    "KeyConflictError",
    "LegalHold",
    "Letter",
    "LimitStanding",
    "Look",
    "Money",
    "MoneyError",
    "NotAllowedError",
    "NotDone",
    "NotDoneError",
    "NotFoundError",
    "Observed",
    "Only",
    "Packet",
    "Payment",
    "Payments",
    "People",
    "PeopleUnavailableError",
    "PolicyError",
    "PolicyVersionError",
    "Power",
    "PowerRefusedError",
    "Proposal",
    "Purge",
    "Queryable",
    "Read",
    "Ready",
    "Reason",
    "Recorded",
    "RecordingError",
    "Redrawn",
    "Reload",
    "Retry",
    "ReviewCase",
    "ReviewReport",
    "Round",
    "Scope",
    "Sealing",
    "Side",
    "SigningKeyFile",
    "StoreError",
    "StoreUnavailableError",
    "Subject",
    "Suspect",
    "Telling",
    "Unavailable",
    "UndeliveredError",
    "Unprotected",
    "UsageError",
    "User",
    "Verdict",
    "VoteRefusedError",
    "Waiting",
    "Waits",
    "WaitsFor",
]

_HOMES = {
    "core.canary": "Canary Side",
    "core.casefile": "CaseFile",
    "core.decision": "Decision Reason",
    "core.letter": "Letter",
    "core.money": "Money",
    "core.packet": "Packet",
    "core.people": "Absence People Power User",
    "core.policy": "Bundle Verdict",
    "core.request": "Actor",
    "core.review_report": "ReviewReport",
    "core.reviews": "ReviewCase",
    "engine.about": "About",
    "engine.activation": "Activation",
    "engine.affected": "Suspect",
    "engine.answers": "Answer Denied Done InDoubt NotDone Ready Unavailable Waiting WaitsFor",
    "engine.canary_groups": "Groups",
    "engine.change": "Change",
    "engine.changes": "Proposal",
    "engine.channel": "Channel Only",
    "engine.confirming": "Confirmation",
    "engine.considering": "Considered",
    "engine.contesting": "Contested",
    "engine.deeds": "Deed GivenBack LimitStanding Recorded",
    "engine.effect": "Idempotent Queryable Read Retry Unprotected",
    "engine.erasing": "Erasure",
    "engine.event": "Event",
    "engine.gather": "Observed",
    "engine.guard": "Guard",
    "engine.headroom": "Headroom",
    "engine.judging": "Judgement",
    "engine.parts": "Waits",
    "engine.privacy": "Look",
    "engine.purging": "Purge",
    "engine.reconciling": "Scope",
    "engine.redrawing": "Redrawn",
    "engine.reloading": "Reload",
    "engine.rounds": "Round",
    "engine.sealing": "Sealing",
    "engine.signing": "SigningKeyFile",
    "engine.streaming": "Follower",
    "engine.subjects": "Subject",
    "engine.told": "Telling",
    "engine.voting": "Ballot",
    "errors": (
        "AgentGuardError ConfigurationError KeyConflictError MoneyError NotAllowedError NotDoneError "
        "NotFoundError PeopleUnavailableError PolicyError PolicyVersionError PowerRefusedError RecordingError "
        "StoreError StoreUnavailableError UndeliveredError UsageError VoteRefusedError"
    ),
    "store.legal_holds": "LegalHold",
    "store.payments": "Payment Payments",
    "store.verification": "Kept",
}
"""Where each public name lives: the same as above, for those who run this."""

_MODULES = {name: f"agentguard.{module}" for module, names in _HOMES.items() for name in names.split()}


def __dir__() -> list[str]:
    """Return the public names beside what is imported already."""
    return sorted({*globals(), *__all__})


if not typing.TYPE_CHECKING:  # a type checker would believe that every name is here

    def __getattr__(name: str) -> object:
        """Import a public name from where it lives, and keep it."""
        if name not in _MODULES:
            raise AttributeError(f"module `agentguard` has no attribute `{name}`")
        found = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = found
        return found
