"""A shop whose payment provider exports its books as CSV, and the command line over it."""

import csv
import io
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from agentguard import Guard, Idempotent, Money, NotDoneError
from agentguard.cli.app import run
from agentguard.cli.opened import open_reading
from tests.cli import shop as shops

HEADER = ("id", "Created (UTC)", "Amount", "Currency", "Status", "key (metadata)", "intent (metadata)")


@dataclass
class Shop:
    """A shop's folder, the ids of its actions by key, and what its provider booked."""

    folder: Path
    ids: dict[str, str]
    booked: list[dict[str, str]]

    @property
    def store(self):
        return f"sqlite:///{self.folder}/shop.db"

    def lines(self):
        """The provider's lines, each a dictionary of its own."""
        return [dict(line) for line in self.booked]

    def export(self, lines, name="provider.csv", header=HEADER, delimiter=","):
        """Write an export of the provider, and return its path."""
        text = io.StringIO()
        writer = csv.DictWriter(text, header, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        path = self.folder / name
        path.write_text(text.getvalue(), encoding="utf-8")
        return path


def line(name, amount, key="", intent="", status="succeeded", at=None):
    moment = at or datetime.now(UTC)
    values = (name, f"{moment:%Y-%m-%d %H:%M:%S.%f}", amount, "usd", status, key, intent)
    return dict(zip(HEADER, values, strict=True))


def guard_of(folder, booked, store=None):
    guard = Guard(folder / "policies", store=store or f"sqlite:///{folder}/shop.db", activate=True)

    @guard.fact("order")
    def order(order_id: str) -> dict:
        return {"id": order_id, "total": Money.of("5000", "USD"), "customer": "cus_8812"}

    @guard.action(
        "refund.issue",
        effect=Idempotent(ttl=timedelta(hours=24)),
        reference=lambda receipt: receipt["id"],
        settles=lambda receipt: {"amount": Money.parse(receipt["amount"])},
    )
    def issue(
        order_id: str, amount: Money, *, key: str, intent: str | None = None, email: str | None = None
    ) -> dict[str, str]:
        """Refund."""
        name = f"re_{len(booked) + 1}"
        if str(amount) == "14.00 USD":
            raise NotDoneError("card expired")
        if str(amount) == "12.00 USD":
            raise RuntimeError("the connection was lost before anything was sent")
        if str(amount) == "45.00 USD":
            amount = Money.of("44.00", "USD")  # the provider keeps a fee
        booked.append(line(name, str(amount).partition(" ")[0], key, intent or ""))
        if str(amount) == "13.00 USD":
            raise RuntimeError("timeout")
        return {"id": name, "amount": str(amount)}

    return guard


@pytest.fixture(scope="session")
def made_shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completeness") / "shop"
    shops.write_files(folder)
    booked, ids = [], {}
    guard = guard_of(folder, booked)
    with structlog.testing.capture_logs():
        for key, amount in (
            ("first", "40.00"), ("second", "30.00"), ("doubt", "13.00"), ("lost", "12.00"), ("not_done", "14.00"),
            ("waiting", "90.00"), ("theirs", "20.00"), ("last", "10.00"),
        ):  # fmt: skip
            answer = guard.run(
                "refund.issue",
                {"order_id": "A", "amount": amount, "email": "ann@example.com"},
                agent="bot",
                on_behalf_of="cus_other" if key == "theirs" else "cus_8812",
                context={"conversation": "c"},
                key=key,
            )
            ids[key] = answer.decision_id
    guard.close()
    return Shop(folder, ids, booked)


@pytest.fixture(scope="session")
def record(made_shop):
    """The shop's record, to be read only."""
    guard = open_reading(made_shop.store)
    yield guard
    guard.close()


@pytest.fixture
def shop(made_shop, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(made_shop.folder, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AGENTGUARD_STORE", f"sqlite:///{folder}/shop.db")
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "mrossi")
    return Shop(folder, made_shop.ids, made_shop.lines())


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def found(self):
        """What of a comparison differs: code and the provider's name or the action."""
        return sorted((item["finding"], item["payment"] or item["action_id"]) for item in self.json["findings"])


@pytest.fixture
def command(capsys):
    def typed(*words):
        capsys.readouterr()
        with structlog.testing.capture_logs():
            code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(code, said.out, said.err)

    return typed
