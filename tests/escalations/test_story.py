"""Two people decide while every process dies, a route is late and the policies change: by real commands."""

import json
import os
import signal
import time

import pytest

from agentguard import Guard
from agentguard.engine import machine
from tests.forked import forked, running, typed

SECONDS = 30

POLICY = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@shop.example
timezone: Europe/Berlin
currency: USD
actions:
  refund.issue: {order_id: text, amount: money}
facts:
  order.customer_id: text
  order.total: money
  order.refunded: money, any sign
escalations:
  duty: {who: "group:duty", within: 1 second, if_late: finance}
  finance: {who: "group:finance", people: 2, within: 1 day, if_late: deny}
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: large, then: escalate to duty, when: amount > 50}
  - {id: too-much, then: deny, when: amount > order.total - order.refunded}
"""
ASK = """
import json, os, sys, time
os.environ.update(json.loads(sys.argv[1]))
from tests.escalations.till import ask
ask()
time.sleep(60)
"""
PEOPLE = """
people: 1
allow_unverified: yes
users:
  ada: {name: Ada, logins: [LOGIN]}
  kim: {name: Kim, logins: [kim]}
  eve: {name: Eve, logins: [eve]}
groups:
  duty: [eve]
  finance: [ada, kim]
"""


@pytest.fixture
def till(address, tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/refunds.yaml").write_text(POLICY)
    (tmp_path / "policies/people.yaml").write_text(PEOPLE.replace("LOGIN", machine.login()))
    (tmp_path / "books").touch()
    environment = {
        **os.environ,
        "TILL_FOLDER": str(tmp_path),
        "TILL_STORE": address,
        "AGENTGUARD_STORE": address,
        "AGENTGUARD_POLICIES": str(tmp_path / "policies"),
    }
    return Till(tmp_path, address, environment)


class Till:
    """The folder of the application, and the commands that are typed in it."""

    def __init__(self, folder, address, environment):
        self.folder, self.address, self.environment = folder, address, environment
        self._number = 0
        self.guard = Guard(folder / "policies", store=address)

    def starts(self, *words):
        """Start a command in a process of its own; it and what it prints."""
        self._number += 1
        printed = self.folder / f"printed-{self._number}"
        process = forked(typed, words, str(self.folder), self.environment, str(printed))
        process.start()
        return process, printed

    def types(self, *words, code=0):
        """Type a command and return what it prints as JSON, or its words where it fails."""
        process, printed = self.starts(*words, "--json")
        process.join(SECONDS)
        assert process.exitcode == code, printed.read_text()
        return printed.read_text() if code else json.loads(printed.read_text())

    def agent(self):
        """Let an agent's process ask once and kill it; return what it said."""
        with running(ASK, json.dumps(self.environment)) as (process, printed):
            said = printed.readline().split()
            process.kill()
        assert process.exitcode == -signal.SIGKILL
        return said

    def worker(self, until):
        """Let a worker work until something has happened, and kill it."""
        process, printed = self.starts("worker", "--app", "tests.escalations.till:guard", "--every", "0.1")
        end = time.monotonic() + SECONDS
        while not until() and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
        process.join()
        assert until(), printed.read_text()
        assert process.exitcode == -signal.SIGKILL

    def books(self):
        return (self.folder / "books").read_text().split()

    def open(self):
        return [record.id for record in self.guard.escalations.list()]


@pytest.mark.law(3)
@pytest.mark.law(5)
@pytest.mark.law(7)
def test_two_people_decide_though_every_process_dies_a_route_is_late_and_the_policies_change(till):
    till.types("policy", "activate", "--why", "the first ones", "--as", "kim")
    status, action = till.agent()
    assert status == "waiting"
    (first,) = [item["id"] for item in till.types("escalations", "list")]
    till.worker(until=lambda: first not in till.open())  # nobody answered within a second
    (second,) = till.open()
    assert till.types("escalations", "approve", second, "--reason-code", "goodwill")["missing"] == 1
    assert "`ada` has voted on" in till.types(
        "escalations", "approve", second, "--reason-code", "goodwill", "--as", "ADA", code=2
    )

    changed = POLICY.replace("version: 1", "version: 2").replace("amount <= 50", "amount <= 40")
    (till.folder / "policies/refunds.yaml").write_text(changed)
    till.types("policy", "activate", "--why", "the small ones are smaller", "--as", "kim")
    assert (
        till.types("escalations", "approve", second, "--reason-code", "within_policy", "--as", "kim")["state"]
        == "approved"
    )
    assert till.books() == []

    till.worker(until=lambda: str(till.guard.audit.action(action).state) == "settled")
    assert till.books()[1:] == ["60000"]
    assert till.agent() == ["already_done", action]
    assert len(till.books()) == 2
    _read_back(till, action, first, second)


def _read_back(till, action, first, second):
    entries = [(item.kind, item.document) for item in till.guard.audit.of(action)]
    bundles = [item.document["bundle"] for item in till.guard.audit.list(kind="activated")]
    assert till.guard.audit.verify().ok
    assert [kind for kind, _ in entries] == [
        "decided", "passed_on", "voted", "vote_refused", "voted", "decided", "settled",
    ]  # fmt: skip
    asked, late, ada, again, kim, decided, _ = (body for _, body in entries)
    assert (asked["state"], asked["bundle"]) == ("waiting", bundles[0])
    assert (late["late"], late["escalation"]) == (first, second)
    assert [route["id"] for route in late["routes"]] == ["refunds/finance"]
    assert (ada["vote"]["voter"], ada["vote"]["authenticated"], ada["missing"]) == ("ada", "os_login", 1)
    assert (again["voter"], again["authenticated"], again["why"]) == ("ADA", "unverified", "voted_already")
    assert (kim["vote"]["voter"], kim["vote"]["authenticated"], kim["missing"]) == ("kim", "unverified", 0)
    for body in (ada, kim):
        assert body["request_digest"] == asked["request_digest"]
        assert body["escalation"] == second
        assert body["vote"]["groups"] == ["group:finance"]
    assert (decided["state"], decided["bundle"], decided["approved"]) == ("executing", bundles[1], True)
    assert (decided["verdict"], [vote["voter"] for vote in decided["votes"]]) == ("escalate", ["ada", "kim"])
