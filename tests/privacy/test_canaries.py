"""Canaries in every personal place, and nowhere else: not at rest, not in logs, errors, notices, streams or packs.

Each canary is a text of its own, put where a host or a customer puts something personal, or where somebody else's
exception quotes it. Everything that a guard does is done; then all that came out of it, and all that lies on disk, is
searched for all of them.
"""

import base64
import io
import json
import logging
import zipfile

import pytest
import structlog

from agentguard import Guard, Money, NotDoneError
from agentguard.cli.app import run
from agentguard.core.people import People, User
from agentguard.testing.clock import ManualClock
from tests.engine.given import bundle

POLICY = """
agentguard: 1
policy: accounts
version: 1
owner: owner@acme.example
timezone: UTC
currency: USD
on_error: escalate to lead
actions:
  account.change: {account: text, fee: money, street: "text, personal", born: "date?, personal", why: "text?"}
facts:
  customer.email: text, personal
  customer.phone: text?, personal
  file.owner: text, personal
context:
  conversation: text
  caller: text?, personal
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
contest: {to: lead, open_for: 60 days}
rules:
  - {id: small, then: allow, when: fee <= 10 and file.owner == on_behalf_of, because: "A fee of {fee}."}
  - {id: large, then: escalate to lead, when: fee > 10 and fee <= 100}
  - {id: phone, then: allow, when: has(customer.phone) and customer.phone.startsWith("+")}
  - {id: too-much, then: deny, when: fee > 100, say: Not that much.}
  - {id: mail, then: deny, when: customer.email == street, say: Odd.}
  - {id: born, then: deny, when: has(born) and born > date("2020-01-01"), say: Too young.}
limits:
  - {id: month, sum: fee, per: on_behalf_of, in: 30 days, max: 300, over: deny}
  - {id: street, count: actions, per: customer.email, in: 30 days, max: 50, over: deny}
requires:
  - {id: yes, confirmed: this request, within: 1 day, when: fee == 7, else: deny}
"""
PEOPLE = People(
    {name: User(name, name.title(), frozenset({name})) for name in ("ada", "kim", "lea")},
    {"leads": frozenset({"ada", "kim", "lea"})},
    allow_unverified=True,
)
PLACES = (
    *("customer", "street", "email", "phone", "caller", "summary", "link", "told", "confirmed", "contested", "result"),
    *("tool_error", "lookup_error", "settles_error", "reference_error", "loud_error", "definite_error"),
    *("fault", "unknown_argument", "late_words", "note"),
)
CANARY = {place: f"canary-{place.replace('_', '-')}-7f3a" for place in PLACES}


class Told:
    """A channel that keeps what people would be told."""

    name = "told"

    def __init__(self):
        self.said = []

    def wants(self, event):
        return True

    def send(self, event):
        self.said.append(repr(event))


class Shop:
    """A guard over accounts whose world answers with canaries, and fails with them."""

    def __init__(self, address):
        self.channel, self.fails, self.clock = Told(), "", ManualClock()
        self.guard = Guard(
            bundle(POLICY), store=address, people=PEOPLE, clock=self.clock, activate=True, notices=[self.channel]
        )
        self.said = []
        guard = self.guard

        @guard.fact("customer")
        def customer():
            if self.fails == "lookup":
                raise RuntimeError(CANARY["lookup_error"])
            return {"email": CANARY["email"], "phone": CANARY["phone"]}

        @guard.fact("file")
        def file():
            return {"owner": CANARY["customer"]}

        def broken(name):
            raise ValueError(CANARY[name])

        @guard.action(
            "account.change",
            settles=lambda result: broken("settles_error") if self.fails == "settles" else {},
            reference=lambda result: broken("reference_error") if self.fails == "reference" else "ref-1",
        )
        def change(account: str, fee: Money, street: str, born=None, why=None) -> dict[str, str]:
            if self.fails == "tool":
                raise RuntimeError(CANARY["tool_error"])
            if self.fails == "loud":
                raise KeyError(CANARY["loud_error"], street)
            if self.fails == "definite":
                raise NotDoneError(CANARY["definite_error"])
            return {"changed": CANARY["result"]}

    def ask(self, key, fee="5.00", *, fails="", run=None, context=None, **more):
        self.fails = fails
        answer = (run or self.guard.run)(
            "account.change",
            {"account": "A-1", "fee": fee, "street": CANARY["street"], **more},
            agent="bot",
            on_behalf_of=CANARY["customer"],
            context={
                "conversation": "talk-1",
                "caller": CANARY["caller"],
                "summary": CANARY["summary"],
                "link": f"https://desk.example/{CANARY['link']}",
                **(context or {}),
            },
            key=key,
        )
        self.fails = ""
        return answer

    def live(self):
        """Do everything that a guard does."""
        guard = self.guard
        done = self.ask("k-1")
        guard.told(done.decision_id, CANARY["told"], by="bot")
        for number, fails in enumerate(("tool", "loud", "definite", "settles", "reference", "lookup")):
            self.ask(f"f-{number}", fails=fails)
        self.ask("bad-1", street=f"{CANARY['fault']}\u202e")
        self.ask("bad-2", born=CANARY["fault"])
        self.ask("bad-3", **{CANARY["unknown_argument"]: "x"})
        self.ask("bad-4", fee=CANARY["fault"])
        self.ask("yes-1", fee="7.00")
        guard.confirm(
            "account.change", {"account": "A-1", "fee": "7.00", "street": CANARY["street"]},
            on_behalf_of=CANARY["customer"], words=CANARY["confirmed"], by=CANARY["customer"], key="form-1",
            context={"conversation": "talk-1", "caller": CANARY["caller"]},
        )  # fmt: skip
        self.ask("yes-2", fee="7.00")
        waiting = self.ask("w-1", fee="50.00")
        guard.escalations.view(waiting.escalation.id, by="ada")
        guard.escalations.approve(waiting.escalation.id, by="ada", reason_code="goodwill", note=CANARY["note"])
        guard.execute(waiting.decision_id)
        rejected = self.ask("w-2", fee="50.00")
        guard.escalations.reject(rejected.escalation.id, by="ada", reason_code="odd", note=CANARY["note"])
        late = self.ask("w-3", fee="50.00")
        denied = self.ask("d-1", fee="200.00")
        guard.contest(denied.decision_id, CANARY["contested"], by=CANARY["customer"])
        guard.told(denied.decision_id, CANARY["late_words"], by="ada")
        ready = self.ask("r-1", run=guard.propose)
        guard.execute(ready.decision_id)
        guard.work()
        guard.recover()
        return [done, late, denied, rejected, waiting]


@pytest.fixture
def lived(address, monkeypatch, tmp_path, capfd):
    """A shop in which everything has happened, and what was said in logs and on the terminal meanwhile."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(logged),
        cache_logger_on_first_use=False,
    )
    shop = Shop(address)
    answers = shop.live()
    yield shop, answers, logged
    shop.guard.close()
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def found_in(text):
    return {place for place, canary in CANARY.items() if canary in text}


def test_no_canary_is_at_rest_in_logs_in_notices_or_on_the_terminal(lived, disk, capfd):
    shop, answers, logged = lived
    assert {str(answer.status) for answer in answers} >= {"done", "waiting", "denied"}
    assert len(shop.channel.said) >= 4
    assert found_in("".join(shop.channel.said)) == set()
    assert logged.getvalue().count("\n") >= 5
    assert found_in(logged.getvalue()) == set()
    said = capfd.readouterr()
    assert found_in(said.out + said.err) == set()
    encoded = {base64.b64encode(canary.encode()).decode().rstrip("=")[:-2] for canary in CANARY.values()}
    assert disk.has(*CANARY.values(), *encoded) == set()


@pytest.mark.no_cover
def test_no_command_shows_a_canary_that_was_not_asked_for_on_record(lived, address, capfd, monkeypatch, tmp_path):
    shop, answers, _ = lived
    monkeypatch.setenv("AGENTGUARD_STORE", address)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "ada")
    monkeypatch.chdir(tmp_path)
    waiting = [record.id for record in shop.guard.escalations.list(None)]
    denied = answers[2].decision_id
    for words in (
        ["audit", "list", "--limit", "1000"],
        ["audit", "list", "--limit", "1000", "--json"],
        *(["audit", "show", answer.decision_id] for answer in answers),
        ["audit", "show", denied, "--json"],
        ["audit", "show", "2"],
        ["audit", "verify", "--decisions"],
        ["escalations", "list", "--state", "all"],
        *(["escalations", "show", name] for name in waiting),
        ["escalations", "show", waiting[0], "--json"],
        ["escalations", "stats"],
        ["actions", "list", "--limit", "1000"],
        ["actions", "list", "--json"],
        ["actions", "show", denied],
        ["limits"],
        ["limits", "--json"],
        ["letter", denied],
        ["policy", "explain", "--entry", "2"],
        ["audit", "stream", "--format", "ocsf"],
        ["audit", "stream", "--format", "cloudevents"],
    ):
        if words[0] != "audit" and not address.startswith("sqlite"):
            continue  # what a command shows is the same on both engines
        code = run([str(word) for word in words])
        said = capfd.readouterr()
        assert (code in (0, 1), said.out != "") == (True, True), (words, said)
        assert (words, found_in(said.out + said.err)) == (words, set())


def test_no_canary_is_in_an_exported_pack(lived, address, monkeypatch, capfd, tmp_path):
    monkeypatch.setenv("AGENTGUARD_STORE", address)
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "ada")
    monkeypatch.chdir(tmp_path)
    pack = tmp_path / "pack.zip"
    assert run(["audit", "export", str(pack), "--why", "a look from outside"]) == 0, capfd.readouterr()
    with zipfile.ZipFile(pack) as files:
        for name in files.namelist():
            assert (name, found_in(files.read(name).decode("utf-8", "replace"))) == (name, set())
        lines = files.read("entries.jsonl").decode().splitlines()
    bodies = b"".join(base64.b64decode(json.loads(line)["body"]) for line in lines)
    assert found_in(bodies.decode()) == set()
