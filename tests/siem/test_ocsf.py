"""Every kind of entry is an event of the published schema, and says what happened."""

import hashlib
import json
import re
from dataclasses import replace

import pytest
import rfc8785

from agentguard.adapters.ocsf import ocsf_event
from agentguard.adapters.ocsf_kinds import KINDS
from agentguard.core.narration.narrator import Narrator
from agentguard.store.records import Entry
from agentguard.store.transaction import leaf_of
from tests.project.tree import PACKAGE
from tests.siem.ocsf_walk import problems

LOG = "0f" * 16
AGENT = {"kind": "agent", "id": "bot", "version": "4", "model": "openai/gpt-x", "operator": None}


def entry(kind, pos=7, **body):
    document = json.dumps({"kind": kind, "tenant": "default", **body}).encode()
    return Entry(pos, "default", pos, 1_795_345_768_343_431, kind, body.get("action_id"), leaf_of(document), document)


def event(kind, **body):
    return ocsf_event(LOG, entry(kind, **body))


@pytest.mark.parametrize("kind", [*sorted(KINDS), "a_kind_of_tomorrow"])
def test_every_kind_of_entry_fits_the_schema_with_much_and_with_little_in_it(kind):
    assert problems(event(kind)) == []
    rich = event(
        kind,
        action_id="act_1",
        action="refund.issue",
        actor=AGENT,
        on_behalf_of="p_1",
        by="maria",
        context={"context.conversation": "c-1"},
        policies={"refunds": {"version": 14, "digest": "d" * 64}},
        verdict="deny",
        reasons=[{"code": "rule_matched", "source": "refunds/theirs", "verdict": "deny"}],
        arguments={"amount": "2500.00 USD"},
    )
    assert problems(rich) == []


def kinds_in_the_code():
    """Every kind of entry that the engine or the store writes as a text."""
    written = re.compile(r'"kind": "([a-z_]+)"|(?<!_)moved\(\s*"([a-z_]+)"')
    for folder in ("engine", "store", "core"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            for found in written.finditer(path.read_text(encoding="utf-8")):
                yield found[1] or found[2]


def test_every_kind_that_the_code_writes_means_something_in_ocsf():
    assert sorted(set(kinds_in_the_code()) - KINDS.keys()) == []
    assert len(set(kinds_in_the_code())) > 15
    assert sorted(set(Narrator((), lambda _: None, str).kinds) - KINDS.keys()) == []


@pytest.mark.parametrize(
    "told, action, disposition, status",
    [
        ({"verdict": "allow", "approved": False}, "Allowed", "Allowed", "Success"),
        ({"verdict": "escalate", "approved": False}, "Allowed", "Delayed", "Success"),
        ({"verdict": "escalate", "approved": True}, "Allowed", "Approved", "Success"),
        ({"verdict": "deny", "approved": False}, "Denied", "Blocked", "Failure"),
    ],
)
def test_a_decision_is_disposed_of_as_it_was_decided(told, action, disposition, status):
    found = event("decided", **told)
    assert (found["action"], found["disposition"], found["status"]) == (action, disposition, status)


@pytest.mark.parametrize("approve, disposition", [(True, "Approved"), (False, "Rejected")])
def test_a_vote_is_its_voter_s_and_a_no_is_a_rejection(approve, disposition):
    found = event("voted", actor=AGENT, vote={"voter": "maria", "approve": approve, "note": "free text"})
    assert found["disposition"] == disposition
    assert found["actor"]["user"] == {"type": "User", "type_id": 1, "uid": "maria"}


def test_books_that_differ_and_an_effect_that_nobody_expected_are_alerts():
    assert event("reconciled", findings={})["is_alert"] is False
    differs = event("reconciled", findings={"payment_without_intent": 2})
    assert (differs["is_alert"], differs["severity"]) == (True, "High")
    assert differs["unmapped"]["findings"] == {"payment_without_intent": 2}
    assert event("settled", alarm=False)["is_alert"] is False
    late = event("settled", alarm=True)
    assert (late["is_alert"], late["severity"], problems(late)) == (True, "High", [])


def test_the_policy_of_the_reason_that_decided_is_named_first():
    policies = {name: {"version": 2, "digest": name[0] * 64} for name in ("caps", "refunds")}
    reasons = [{"code": "rule_matched", "source": "refunds/theirs"}]
    found = event("decided", verdict="deny", policies=policies, reasons=reasons)
    assert found["policy"] == {"name": "refunds", "uid": "r" * 64, "version": "2"}
    assert [item["policy"]["name"] for item in found["authorizations"]] == ["caps", "refunds"]
    assert found["status_code"] == "rule_matched"


def test_an_event_carries_the_digest_of_itself_and_names_the_event_before_it():
    found = event("halted", target="all", by="maria")
    attestation = found["attestation_list"][0]
    stated = attestation.pop("fingerprint")["value"]
    assert hashlib.sha256(rfc8785.dumps(found)).hexdigest() == stated
    assert attestation["prev_event"] == {"uid": f"{LOG}-6"}
    assert attestation["chain_uid"] == LOG
    assert found["raw_data_hash"]["value"] == entry("halted", target="all", by="maria").leaf
    found["severity_id"] = 1
    assert hashlib.sha256(rfc8785.dumps(found)).hexdigest() != stated


def test_the_first_event_of_a_log_has_none_before_it():
    found = ocsf_event(LOG, entry("activated", pos=1))
    assert "prev_event" not in found["attestation_list"][0]
    assert problems(found) == []


def test_an_entry_whose_text_was_purged_is_told_by_what_is_left():
    found = ocsf_event(LOG, replace(entry("decided", verdict="deny"), body=b""))
    assert problems(found) == []
    assert found["unmapped"]["purged"] is True
    assert (found["disposition"], found["status"], found["activity_name"]) == ("Logged", "Unknown", "decided")


@pytest.mark.parametrize("body", [b'{"kind": "decided", "verdict": "allow"}', b"[1]", b"{torn", b"\xff"])
@pytest.mark.parametrize("fitted", [False, True], ids=["with the old leaf", "with a leaf that fits"])
def test_an_entry_that_does_not_say_what_was_written_is_an_alert_and_nothing_of_it_goes_out(body, fitted):
    written = entry("decided", verdict="deny")
    found = ocsf_event(LOG, replace(written, body=body, leaf=leaf_of(body) if fitted else written.leaf))
    assert problems(found) == []
    if not (fitted and body.startswith(b'{"kind"')):  # which only the tree and its witnesses can tell
        assert (found["is_alert"], found["disposition"], found["severity"]) == (True, "Alert", "High")
        assert found["unmapped"] == {"tenant": "default", "kind": "decided", "altered": True}


def test_the_walk_along_the_schema_finds_what_does_not_fit():
    good = event("decided", verdict="deny", actor=AGENT)
    broken = [
        good | {"activity_id": 5},
        good | {"severity_id": "1"},
        good | {"severity": "High"},
        good | {"colour": "red"},
        good | {"src_endpoint": {}},
        good | {"type_uid": 1},
        good | {"attestation_list": []},
        {name: value for name, value in good.items() if name != "api"},
        good | {"metadata": good["metadata"] | {"profiles": ["security_control", "record_integrity"]}},
        good | {"ai_agent": {"name": "bot"}},
        good | {"raw_data_hash": good["raw_data_hash"] | {"value": "short"}},
    ]
    assert [number for number, item in enumerate(broken) if not problems(item)] == []
