"""Entries of the audit log as OCSF 1.9 events, for a SIEM: API Activity with what AI, a control and a log add to it.

Profiles: `ai_operation` (where an agent acted), `security_control` (what was decided) and `record_integrity`: each
event carries the SHA-256 of itself, in its canonical form without that digest, and names the event before it. The
entry's own hash, which the signed checkpoints cover, is `raw_data_hash`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from agentguard.adapters.ocsf_kinds import (
    ALLOWED,
    APPROVED,
    BLOCKED,
    DELAYED,
    DENIED,
    DIFFERS,
    ENFORCES_NOTHING,
    KINDS,
    OBSERVED,
    REJECTED,
    TAMPERED,
    UNKNOWN,
    Activity,
    Kind,
    Severity,
)
from agentguard.core.digest import canonical_bytes, time_text
from agentguard.core.entry import OBSERVE, is_observed
from agentguard.engine import machine
from agentguard.engine.outward import ALTERED, outward
from agentguard.store.records import Entry

VERSION = "1.9.0"
CATEGORY = 6
CLASS = 6003
PRODUCT = "agentguard"
SHA_256 = 3
OTHER = 99
LEAF = "SHA-256 of a zero byte and the entry (RFC 6962)"
_USER, _SERVICE, _SYSTEM = 1, 4, 3
_USER_TYPES = {_USER: "User", _SERVICE: "Service", _SYSTEM: "System"}
_VERDICTS: Mapping[str, Kind] = {"allow": ALLOWED, "escalate": DELAYED, "deny": BLOCKED}


def ocsf_event(log: str, entry: Entry) -> dict[str, Any]:
    """Return an entry as an event of the class API Activity (6003)."""
    told = outward(entry)
    kind = kind_of(told)
    event: dict[str, Any] = {
        "activity_id": int(kind.activity),
        "activity_name": entry.kind if kind.activity is Activity.OTHER else kind.activity.name.capitalize(),
        "actor": {"user": _user(told)},
        "api": _api(told),
        "category_name": "Application Activity",
        "category_uid": CATEGORY,
        "class_name": "API Activity",
        "class_uid": CLASS,
        "message": _message(told),
        "metadata": _metadata(log, entry, told),
        "raw_data_hash": {"algorithm": LEAF, "algorithm_id": OTHER, "value": entry.leaf},
        "severity": kind.severity.name.capitalize(),
        "severity_id": int(kind.severity),
        "src_endpoint": {"instance_uid": log, "svc_name": PRODUCT},
        "status": kind.status.name.capitalize(),
        "status_id": int(kind.status),
        "time": entry.ts_us // 1000,
        "type_name": f"API Activity: {kind.activity.name.capitalize()}",
        "type_uid": CLASS * 100 + kind.activity,
        "unmapped": told,
        **_control(told, kind),
    }
    if resources := _resources(told):
        event["resources"] = resources
    if _is_agent(told):
        event["ai_agent"] = _ai_agent(told)
    return attested(log, entry.pos, event)


def attested(log: str, position: int, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with the digest of itself, as the profile record_integrity has it.

    The digest is over everything else, its own attestation's names included.
    """
    attestation: dict[str, Any] = {
        "authority_uid": f"{PRODUCT}/{log}",
        "chain_uid": log,
        "uid": f"{log}-{position}",
    }
    if position > 1:
        attestation["prev_event"] = {"uid": f"{log}-{position - 1}"}
    digest = hashlib.sha256(canonical_bytes({**event, "attestation_list": [attestation]})).hexdigest()
    fingerprint = {"algorithm": "SHA-256", "algorithm_id": SHA_256, "value": digest}
    return {**event, "attestation_list": [{**attestation, "fingerprint": fingerprint}]}


def kind_of(told: Mapping[str, Any]) -> Kind:
    """Return what an entry is in OCSF, by its kind and, where that decides it, by what it says."""
    match told["kind"]:
        case _ if told.get(ALTERED) is True:
            return TAMPERED
        case _ if told.get("purged") is True:
            return UNKNOWN  # what it said is gone
        case "decided" if is_observed(told):
            return OBSERVED
        case "started" if told.get("mode") == OBSERVE:
            return ENFORCES_NOTHING
        case "decided" if "verdict" in told:
            return APPROVED if told.get("approved") else _VERDICTS.get(told["verdict"], UNKNOWN)
        case "voted" if "vote" in told:
            return APPROVED if told["vote"].get("approve") else REJECTED
        case "reconciled" if told.get("findings"):
            return DIFFERS
        case known if told.get("alarm") is True:
            return replace(KINDS.get(known, UNKNOWN), severity=Severity.HIGH, alert=True)
        case known:
            return KINDS.get(known, UNKNOWN)


def _control(told: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return what the control decided, by which policy, and why."""
    denied = kind.disposition in DENIED
    control: dict[str, Any] = {
        "action": "Denied" if denied else "Allowed",
        "action_id": 2 if denied else 1,
        "disposition": kind.disposition.name.capitalize(),
        "disposition_id": int(kind.disposition),
        "is_alert": kind.alert,
    }
    reasons = told.get("reasons") or ()
    if reasons and "code" in reasons[0]:
        control["status_code"] = reasons[0]["code"]
    policies = [_policy(name, item) for name, item in sorted((told.get("policies") or {}).items())]
    if "verdict" in told and policies:
        control["authorizations"] = [{"decision": told["verdict"], "policy": policy} for policy in policies]
        source = str(reasons[0].get("source", "")).partition("/")[0] if reasons else ""
        control["policy"] = next((policy for policy in policies if policy["name"] == source), policies[0])
    return control


def _policy(name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "uid": str(item.get("digest", name)), "version": str(item.get("version", ""))}


def _metadata(log: str, entry: Entry, told: Mapping[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "event_code": entry.kind,
        "log_name": log,
        "log_provider": PRODUCT,
        "original_time": time_text(entry.at),
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": _version()},
        "profiles": [*(("ai_operation",) if _is_agent(told) else ()), "record_integrity", "security_control"],
        "sequence": entry.pos,
        "tenant_uid": entry.stream,
        "uid": f"{log}-{entry.pos}",
        "version": VERSION,
    }
    return {**metadata, "correlation_uid": entry.action_id} if entry.action_id else metadata


@cache
def _version() -> str:
    return machine.library_versions()[0]


def _api(told: Mapping[str, Any]) -> dict[str, Any]:
    api: dict[str, Any] = {
        "operation": told.get("action") or f"{PRODUCT}.{told['kind']}",
        "service": {"name": PRODUCT},
    }
    return {**api, "request": {"uid": told["action_id"]}} if "action_id" in told else api


def _user(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return who did what the entry tells: a person who is named in it, the agent, or the guard itself."""
    person = (told.get("vote") or {}).get("voter") or told.get("voter") or told.get("by")
    if person:
        kind = _SERVICE if told.get("by_kind") == "agent" else _USER
        return {"type": _USER_TYPES[kind], "type_id": kind, "uid": person}
    actor = told.get("actor") or {}
    if "id" in actor:
        kind = _SERVICE if _is_agent(told) else _USER
        return {"type": _USER_TYPES[kind], "type_id": kind, "uid": actor["id"]}
    return {"type": _USER_TYPES[_SYSTEM], "type_id": _SYSTEM, "uid": PRODUCT}


def _is_agent(told: Mapping[str, Any]) -> bool:
    actor = told.get("actor") or {}
    return actor.get("kind") == "agent" and "id" in actor


def _ai_agent(told: Mapping[str, Any]) -> dict[str, Any]:
    actor = told["actor"]
    agent: dict[str, Any] = {"name": actor["id"], "type": "Unknown", "type_id": 0, "uid": actor["id"]}
    if "version" in actor:
        agent["version"] = actor["version"]
    if "conversation" in told:
        agent["instance_uid"] = told["conversation"]
    if "model" in actor:
        provider, slash, name = actor["model"].partition("/")
        agent["ai_model"] = {"ai_provider": provider if slash else "unknown", "name": name or actor["model"]}
    return agent


def _resources(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what it was about: the action, the customer's pseudonym, what was stopped."""
    named = (("action", "action_id"), ("customer", "on_behalf_of"), ("escalation", "escalation"), ("target", "target"))
    return [{"type": kind, "uid": told[name]} for kind, name in named if told.get(name)]


def _message(told: Mapping[str, Any]) -> str:
    what = told.get("action") or told.get("target") or told.get("channel") or ""
    word = str(told["kind"]).replace("_", " ")
    if told.get(ALTERED) is True:
        return f"{word}: the entry does not say what was written"
    if told["kind"] == "decided" and "verdict" in told:
        how = "observed, not enforced" if is_observed(told) else "decided"
        word = "approved by people" if told.get("approved") else f"{how}: {told['verdict']}"
    reasons = [str(reason["source"]) for reason in told.get("reasons") or () if "source" in reason]
    because = f" ({', '.join(reasons[:4])})" if reasons else ""
    return f"{what}: {word}{because}" if what else f"{word}{because}"
