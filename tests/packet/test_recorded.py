"""The packet of conversations that real agents really had, where somebody has put the recordings beside the project."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentguard import Guard
from agentguard.core.people import People, User
from scripts.replays.recording import Call, read_lines
from scripts.replays.shop import ACTIONS, _conversation

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("AGENTGUARD_WORKLOADS", PROJECT.parent / "shared" / "workloads")) / "tau"
POLICIES = [PROJECT / "policies" / "retail" / "retail.yaml", Path(__file__).parent / "review.yaml"]
LEADS = People(
    users={name: User(name, name.title(), frozenset({name})) for name in ("rosa", "emil")},
    groups={"service-leads": frozenset({"rosa", "emil"})},
    allow_unverified=True,
)

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="no recordings: set AGENTGUARD_WORKLOADS to their folder"),
    pytest.mark.no_cover,  # what it runs again and again is run by other tests too
]


@dataclass(frozen=True)
class Said:
    """One recorded call with what customer and agent had said before it."""

    call: Call
    customer: tuple[str, ...]
    agent: tuple[str, ...]


def conversation(number, steps):
    """Return the calls of one recorded conversation that change something, each with the words before it."""
    calls = iter(_conversation(f"trajectory-{number}", steps))
    spoken = {"user": [], "assistant": []}
    for step in steps:
        if step["t"] in spoken:
            spoken[step["t"]].append(" ".join(step["text"].split()))
        elif step.get("name") in ACTIONS and "ctx" in step:
            yield Said(next(calls), tuple(spoken["user"]), tuple(spoken["assistant"]))


class Desk:
    """A guard over the recorded shop: the retail pack, and a file that only tightens it."""

    def __init__(self):
        self.call = None
        self.guard = Guard(POLICIES, store="sqlite://", people=LEADS, activate=True)
        for action in self.guard.bundle.actions():
            self.guard.action(action, timeout=None)(lambda **_: "done")
        for root in ("session", "order", "change", "profile"):
            self.guard.fact(root, source=f"shop.{root}")(lambda root=root: self.call.facts.get(root))

    def ask(self, said):
        self.call = said.call
        summary = "In the customer's words:\n" + "\n".join(f"- {text}" for text in said.customer)
        answer = self.guard.run(
            said.call.action,
            dict(said.call.arguments),
            agent="service-agent",
            on_behalf_of=said.call.on_behalf_of,
            context={**said.call.context, "summary": summary, "link": f"https://desk.example/{said.call.world}"},
            tenant=said.call.world,
            key=f"{len(said.customer)}-{len(said.agent)}-{said.call.action}-{said.call.arguments}"[:200],
        )
        if said.agent:
            self.guard.told(answer.decision_id, said.agent[-1], by="service-agent", channel="chat")
        return answer


def test_a_packet_of_every_recorded_escalation_says_everything_and_one_of_them_is_whole():
    desk = Desk()
    packets = []
    for number, run in enumerate(read_lines(FOLDER, "retail_trajectories.jsonl")):
        for said in conversation(number, run["steps"]):
            answer = desk.ask(said)
            if answer.status == "waiting":
                packets.append(desk.guard.escalations.view(answer.escalation.id, by="rosa").packet)
    desk.guard.close()
    assert len(packets) >= 10
    for packet in packets:
        text = packet.as_text()
        assert packet.conversation.summary.startswith("In the customer's words:")
        assert packet.causes[0].says in " ".join(text.split())
        assert packet.desks[0].people == ("Emil", "Rosa")
    whole = max(packets, key=lambda packet: (len(packet.causes), bool(packet.earlier), -len(packet.as_text())))
    assert all((len(whole.causes) == 2, whole.earlier, whole.facts, whole.told, whole.budgets, whole.automatic))
    if "AGENTGUARD_PACKET" in os.environ:
        Path(os.environ["AGENTGUARD_PACKET"]).write_text(whole.as_text(), encoding="utf-8")
