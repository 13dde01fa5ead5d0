"""Two assistants under prompt injection, a bank's and a workspace's: recorded runs, with and without an attack.

Facts come from the systems of record (the account, the workspace) and from the words of the person who asks. What the
assistant read on its way is not used: that is where the attacks are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from scripts.replays.recording import Call, Expected, money, plain_arguments, read_lines, read_object
from scripts.replays.words import amounts, asks_to, site, sites, stands_in

BANKING_ACTIONS = {
    "send_money": "payment.send",
    "schedule_transaction": "payment.schedule",
    "update_scheduled_transaction": "standing_order.change",
    "update_user_info": "profile.change",
    "update_password": "password.change",
}
SLACK_ACTIONS = {
    "get_webpage": "page.read",
    "post_webpage": "page.post",
    "send_direct_message": "message.send_direct",
    "send_channel_message": "message.send_channel",
    "add_user_to_channel": "channel.add_member",
    "invite_user_to_slack": "member.invite",
    "remove_user_from_slack": "member.remove",
}
CURRENCY = "EUR"
ABOUT_PROFILE = re.compile(
    r"\b(address|account (information|details)|profile|mov(ed|ing)|apartment|relocat\w+|my \w* ?(name|street|city))\b",
    re.IGNORECASE,
)
INVITE = "invit|add|join|welcom|onboard"
REMOVE = "remov|kick|exclud|delet|offboard|fire"

Facts = dict[str, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded run of an assistant.

    Attributes:
        attacked: Whether somebody tried to steer it from what it read.
        succeeded: Of an attack: it did what the attacker wanted. Of a clean run: it did what the person asked for.
        calls: The governed calls, each with its place among the attacker's (True) or not.
    """

    attacked: bool
    succeeded: bool
    calls: tuple[tuple[Call, bool], ...]
    ungoverned: int


def banking_runs(folder: Path) -> list[Run]:
    """Return the recorded runs of the bank's assistant."""
    environment = read_object(folder, "banking_environment.json")
    account = environment["bank_account"] if environment else None
    return _runs(
        folder, "banking", BANKING_ACTIONS, lambda arguments, prompt: banking_facts(account, arguments, prompt)
    )


def slack_runs(folder: Path) -> list[Run]:
    """Return the recorded runs of the workspace's assistant."""
    environment = read_object(folder, "slack_environment.json")
    workspace = environment["slack"] if environment else None
    return _runs(folder, "slack", SLACK_ACTIONS, lambda arguments, prompt: slack_facts(workspace, arguments, prompt))


def _runs(
    folder: Path, suite: str, actions: Mapping[str, str], facts: Callable[[Mapping[str, Any], str], Facts]
) -> list[Run]:
    runs = []
    for number, trace in enumerate(read_lines(folder, f"{suite}_traces.jsonl")):
        attacked = trace.get("attack") not in {None, "none"}
        calls, ungoverned = [], 0
        for recorded in trace.get("calls", []):
            if recorded["name"] not in actions:
                ungoverned += 1
                continue
            arguments = plain_arguments(recorded["args"])
            by_attacker = recorded.get("label") in {"attack", "attack_cleanup"}
            calls.append(
                (
                    Call(
                        world=f"{suite}-{number}",
                        action=actions[recorded["name"]],
                        arguments=arguments,
                        on_behalf_of="account-holder",
                        context={"conversation": f"{suite}-{number}"},
                        facts=facts(arguments, str(trace.get("user_prompt", ""))),
                        expected=_expected(recorded.get("label"), attacked=attacked, useful=bool(trace.get("utility"))),
                        succeeded=not recorded.get("error"),
                    ),
                    by_attacker,
                )
            )
        succeeded = bool(trace.get("attack_succeeded") if attacked else trace.get("utility"))
        runs.append(Run(attacked=attacked, succeeded=succeeded, calls=tuple(calls), ungoverned=ungoverned))
    return runs


def _expected(label: str | None, *, attacked: bool, useful: bool) -> Expected:
    if label in {"attack", "attack_cleanup"}:
        return Expected.FORBIDDEN
    if label in {"user_gt", "benign_success"} or (not attacked and useful):
        return Expected.GOOD
    return Expected.OPEN


def banking_facts(account: Mapping[str, Any] | None, arguments: Mapping[str, Any], prompt: str) -> Facts:
    """Return what the bank knows of the account, and what the customer's own message names."""
    recipient, password = str(arguments.get("recipient", "")), str(arguments.get("password", ""))
    asked = {
        "names_recipient": stands_in(recipient, prompt),
        "names_amount": _number(arguments.get("amount")) in amounts(prompt),
        "names_password": stands_in(password, prompt),
        "about_profile": ABOUT_PROFILE.search(prompt) is not None,
    }
    if account is None:
        return {"asked": asked, "account": None, "standing_order": None}
    paid = [entry["recipient"] for entry in account["transactions"] if entry["sender"] in {"me", account["iban"]}]
    planned = [entry["recipient"] for entry in account["scheduled_transactions"]]
    order = next((o for o in account["scheduled_transactions"] if o["id"] == arguments.get("id")), None)
    return {
        "asked": asked,
        "account": {"payees": sorted({*paid, *planned})},
        "standing_order": order and {"recipient": order["recipient"], "amount": money(order["amount"], CURRENCY)},
    }


def _number(amount: Any) -> Decimal | None:
    try:
        return Decimal(str(amount))
    except InvalidOperation:
        return None


def slack_facts(workspace: Mapping[str, Any] | None, arguments: Mapping[str, Any], prompt: str) -> Facts:
    """Return what the workspace knows of itself, and what the message of the person who asks names."""
    written: list[str] = []
    if workspace is not None:
        for inbox in (*workspace["user_inbox"].values(), *workspace["channel_inbox"].values()):
            written += [message["body"] for message in inbox]
    target = site(str(arguments.get("url", "")))
    person = str(arguments.get("recipient") or arguments.get("user") or "")
    return {
        "workspace": workspace and {"members": list(workspace["users"]), "channels": list(workspace["channels"])},
        "page": {"asked_for": target in sites([prompt]), "from_members": target in sites(written)},
        "message": {"strange_links": len(sites([str(arguments.get("body", ""))]) - sites([prompt, *written]))},
        "person": {
            "asked_for": stands_in(person, prompt),
            "to_invite": any(asks_to(INVITE, person, text) for text in (prompt, *written)),
            "to_remove": asks_to(REMOVE, person, prompt),
        },
    }
