"""A shop with canaries wherever a person or a customer could have written something, and its command line."""

import shutil

import pytest
import structlog

from agentguard.cli.app import run
from tests.cli import shop as shops

CANARIES = (
    "canary-customer", "canary-email@example.com", "canary note", "canary why", "canary words", "canary reason",
    "canary because",
)  # fmt: skip


@pytest.fixture(scope="session")
def canaries_made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("siem") / "shop"
    shops.write_files(folder)
    policy = folder / "policies" / "refunds.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("because: Small.", "because: canary because."))
    guard = shops.guard_of(folder)
    with structlog.testing.capture_logs():
        ids = {}
        for key, amount in (("small", "40.00"), ("large", "90.00"), ("doubt", "13.00"), ("theirs", "20.00")):
            answer = guard.run(
                "refund.issue",
                {"order_id": "A", "amount": amount, "email": "canary-email@example.com"},
                agent="bot",
                on_behalf_of="canary-customer" if key == "theirs" else "cus_8812",
                context={"conversation": "c"},
                key=key,
            )
            ids[key] = answer
        vote = {"by": "maria", "authenticated": "os_login", "reason_code": "goodwill", "note": "canary note"}
        guard.escalations.approve(ids["large"].escalation.id, **vote)
        guard.halt("action:refund.issue", by="maria", why="canary why", authenticated="os_login")
        guard.resume("action:refund.issue", by="maria", why="canary why", authenticated="os_login")
        guard.told(ids["small"].decision_id, "canary words", by="canary-customer", channel="chat")
        guard.resolve(ids["doubt"].decision_id, done=True, by="tom", why="canary reason", authenticated="os_login")
    guard.close()
    return folder


@pytest.fixture
def shop(canaries_made, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(canaries_made, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AGENTGUARD_STORE", f"sqlite:///{folder}/shop.db")
    return folder


@pytest.fixture
def command(capsys):
    def typed(*words):
        capsys.readouterr()
        with structlog.testing.capture_logs():
            code = run([str(word) for word in words])
        return code, *capsys.readouterr()

    return typed
