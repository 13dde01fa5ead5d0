"""A change of what is in force in words, as an entry says it: which way it goes, what was tried, and who signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentguard.core.narration.told import Details

WAYS: Mapping[str, str] = {
    "first": "the first policies of all: nothing was allowed before",
    "same": "same: an agent does by itself what it did before",
    "looser": "looser: an agent does more by itself than before, or with less care around it",
    "tighter": "tighter: an agent does less by itself than before",
    "mixed": "mixed: an agent does more by itself in some cases, and less in others",
    "unknown": "unknown: it could not be ruled out that an agent does more by itself than before",
    "unexamined": "nobody looked which way it goes",
}


def change_details(body: Mapping[str, Any]) -> Details:
    """Return what an entry says of a change, or of one that is asked for; nothing of entries of earlier versions."""
    change = body.get("change")
    if change is None:
        return []
    details = [("direction", WAYS.get(change["direction"], change["direction"]))]
    details += [("in short", change["summary"])] if change["summary"] else []
    details += [("changes", sentence) for sentence in change["said"]]
    details += [("changes", f"and {change['said_more']} more")] if change["said_more"] else []
    details += [(name, words) for name, words in tried(change)]
    details += [("despite", change["despite"])] if change["despite"] else []
    details += [("who may", _may(body["may"]))] if body.get("may") else []
    signature = body.get("signature")
    return [*details, ("signed", f"with the key {signature['key']}" if signature else "by nobody")]


def _may(said: Mapping[str, Any]) -> str:
    signed = ", each of whom has to sign" if said["signed"] else ""
    return f"{', '.join(said['who']) or 'nobody'}{signed}"


def tried(change: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what came of the cases, the promises and the past, or why each was not tried."""
    for name, words in (("tests", _tests), ("proofs", _proofs), ("simulation", _simulation)):
        found = change[name]
        if found is not None:
            yield name, words(found)
        elif change["direction"] != "unexamined":
            why = change["untried"].get(name)
            yield name, f"not tried: {why}" if why else "not tried"


def _tests(found: Mapping[str, Any]) -> str:
    if not found["failed"]:
        return "the 1 case passed" if found["cases"] == 1 else f"all {found['cases']} cases passed"
    return f"{found['failed']} of {found['cases']} cases failed: {', '.join(found['named'])}"


def _proofs(found: Mapping[str, Any]) -> str:
    parts = [f"broken: {', '.join(found['broken'])}"] if found["broken"] else []
    parts += [f"not proved: {', '.join(found['open'])}"] if found["open"] else []
    if not found["promises"]:
        return "nothing is promised"
    kept = "the 1 promise is" if found["promises"] == 1 else f"all {found['promises']} promises are"
    return "; ".join(parts) or f"{kept} kept, whatever is asked"


def _simulation(found: Mapping[str, Any]) -> str:
    asked = f"{found['requests']:,} requests of the past decided again"
    return f"{asked}; compared with what was decided then it {found['sentence']}"
