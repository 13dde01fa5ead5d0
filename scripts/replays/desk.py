"""A support desk's flows: each guideline's order of actions becomes a policy with `requires`, generated here.

A case gives the actions that were done and the one that is asked for next; where a prerequisite was left out, that one
must be refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.replays.recording import Call, Expected, read_lines

HEAD = """agentguard: 1
policy: {name}
version: 1
owner: support-desk@shop.example
description: {title}
timezone: UTC
currency: USD
otherwise: deny
actions:
{actions}
context:
  conversation: text
rules:
  - id: steps-of-this-flow
    then: allow
    because: A step of the guideline, once what it requires has happened.
"""
REQUIREMENT = (
    "  - {{id: {earlier}-before-{later}, on: [{flow}.{later_action}], action: {flow}.{earlier_action}, "
    "same: [on_behalf_of, context.conversation], else: deny}}\n"
)


@dataclass(frozen=True, slots=True)
class Case:
    """What was done so far in one conversation, and what is asked for next."""

    history: tuple[Call, ...]
    asked: Call


def word(name: str) -> str:
    """Return a name as the policy language writes it."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def policies(folder: Path) -> dict[str, str]:
    """Return a policy text by file name for each flow; each action that changes something requires what precedes it."""
    return {f"{word(flow['subflow'])}.yaml": _policy(flow) for flow in read_lines(folder, "flows.jsonl")}


def actions(folder: Path) -> list[str]:
    """Return every action of every flow."""
    flows = read_lines(folder, "flows.jsonl")
    return [
        f"{word(flow['subflow'])}.{word(step)}" for flow in flows for step in dict.fromkeys(flow["required_actions"])
    ]


def _policy(flow: Mapping[str, Any]) -> str:
    name, steps = word(flow["subflow"]), list(dict.fromkeys(flow["required_actions"]))
    title = re.sub(r"[^\w ,.-]", "", str(flow.get("guideline_title", name)))
    actions = "\n".join(f"  {name}.{word(step)}: {{}}" for step in steps)
    text = HEAD.format(name=name.replace("_", "-"), title=title, actions=actions)
    requirements = [
        REQUIREMENT.format(
            earlier=word(earlier).replace("_", "-"),
            later=word(step).replace("_", "-"),
            flow=name,
            later_action=word(step),
            earlier_action=word(earlier),
        )
        for position, step in enumerate(steps)
        if step in flow["mutating_actions"]
        for earlier in steps[:position]
    ]
    return text + ("requires:\n" + "".join(requirements) if requirements else "")


def cases(folder: Path) -> list[Case]:
    """Return the recorded cases of flows that are in the folder."""
    flows = {flow["subflow"]: set(flow["required_actions"]) for flow in read_lines(folder, "flows.jsonl")}
    found = []
    for number, case in enumerate(read_lines(folder, "sequence_cases.jsonl")):
        if case["subflow"] not in flows or not {*case["history"], case["action"]} <= flows[case["subflow"]]:
            continue
        expected = Expected.GOOD if case["label"] == "must_allow" else Expected.FORBIDDEN
        done = tuple(_call(number, case["subflow"], step, Expected.OPEN) for step in case["history"])
        found.append(Case(history=done, asked=_call(number, case["subflow"], case["action"], expected)))
    return found


def _call(number: int, flow: str, step: str, expected: Expected) -> Call:
    world = f"desk-{number}"
    return Call(
        world=world,
        action=f"{word(flow)}.{word(step)}",
        arguments={},
        on_behalf_of=f"customer-{number}",
        context={"conversation": world},
        facts={},
        expected=expected,
    )
