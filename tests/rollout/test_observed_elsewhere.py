"""What else speaks of decisions never says that something was refused which was only observed."""

import zipfile

import pytest

from agentguard.adapters.ocsf import ocsf_event
from agentguard.cli.app import run
from agentguard.engine.affected import Suspect
from agentguard.evidence import verify
from tests.engine.given import shop
from tests.reviews.conftest import reviewed


@pytest.fixture
def observing(tmp_path):
    made = shop(f"sqlite:///{tmp_path / 'guard.db'}", observe=True, text=reviewed("100%"))
    yield made
    made.guard.close()


@pytest.fixture
def denied(observing):
    """The entry of a refund that would have been denied."""
    answer = observing.ask("1.00", who="c-2")
    return next(entry for entry in observing.guard.audit.of(answer.decision_id) if entry.kind == "decided")


def test_a_siem_hears_that_it_was_allowed_and_that_nothing_is_enforced(observing, denied):
    event = ocsf_event("log", denied)
    said = event["action"], event["disposition"], event["unmapped"]["enforced"], event["unmapped"]["verdict"]
    assert said == ("Allowed", "Logged", "allow", "deny")
    assert event["message"] == "refund.issue: observed, not enforced: deny (refunds/not-theirs, refunds/small)"
    (started,) = observing.guard.audit.list(kind="started")
    event = ocsf_event("log", started)
    assert (event["severity"], event["is_alert"], "process" in event["unmapped"]) == ("High", True, False)


def test_an_evidence_pack_shows_what_was_only_observed_as_that(observing, denied, tmp_path):
    path = tmp_path / "pack.zip"
    observing.guard.audit.export(path, action="refund.issue", by="ada", why="the audit of 2026")
    with zipfile.ZipFile(path) as pack:
        table, report = pack.read("entries.csv").decode(), pack.read("report.html").decode()
    assert '"deny, observed"' in table
    assert "observed only, it would have been denied, sent to the tool" in report
    assert "class='mark observed'" in report
    assert verify.main([str(path)]) == 3, "it is whole, and nobody signed it"


def test_an_incident_counts_what_was_only_observed_apart(observing, denied):
    observing.ask("1.00", key="k-2")
    found = observing.guard.audit.affected(Suspect(policy="refunds"), lambda case: None)
    assert dict(found.verdicts) == {"deny, observed": 1, "allow, observed": 1}


def test_whoever_judges_it_is_told_to_correct_the_policy_in_time(observing, denied):
    case = next(case for case in observing.guard.reviews.list() if case.action_id == denied.action_id)
    judged = observing.guard.reviews.judge(case.id, by="kim", reason_code="looked", should="allow")
    assert (judged.decided, judged.verdict) == ("deny", "wrong")
    assert judged.remedy == "it was only observed: correct the policy before it is enforced"


def test_comparing_names_what_was_only_observed_where_no_file_is_in_shadow(observing, denied, capsys):
    url = observing.guard.store.url
    assert run(["policy", "compare", "--store", url]) == 0
    assert "`agentguard policy compare --observed` says what they would have enforced" in capsys.readouterr().out
    assert run(["policy", "compare", "--observed", "--store", url, "--json"]) == 0
    assert '"sentence": "would have allowed 1 fewer request worth 1.00 USD without a person"' in capsys.readouterr().out
    assert run(["audit", "list", "--verdict", "deny", "--store", url]) == 0
    assert "deny, observed" in capsys.readouterr().out
