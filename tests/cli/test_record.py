"""`agentguard record`: a file of what happened during an outage counts once, or nothing of it does."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agentguard.cli.app import run

HAPPENED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
LINE = {
    "action": "refund.issue",
    "key": "z-1",
    "happened_at": HAPPENED.astimezone(timezone(timedelta(hours=1))).isoformat(),
    "on_behalf_of": "cus_8812",
    "arguments": {"order_id": "A", "amount": "30.00"},
    "facts": {"order.id": "A", "order.total": "500.00"},
}
HEADER = "action,key,happened_at,on_behalf_of,arguments.order_id,arguments.amount,facts.order.id,facts.order.total"


def lines(folder, *changes, name="outage.jsonl"):
    path = folder / name
    path.write_text("\n".join(json.dumps({**LINE, **change}) for change in changes) + "\n", encoding="utf-8")
    return path


def entries(command):
    return command("audit", "list", "--kind", "recorded", "--json").json


def test_a_file_of_deeds_is_recorded_and_the_same_file_again_changes_nothing(shop, command):
    path = lines(shop.folder, {}, {"key": "z-2", "by": "tom", "external_reference": "r-9"}, {"key": "z-3"})
    first = command("record", path, "--source", "zendesk")
    assert (first.code, first.out) == (0, "recorded 3\n")
    again = command("record", path, "--source", "zendesk")
    assert (again.code, again.out) == (0, "recorded 0, 3 recorded before\n")
    told = [item["entry"] for item in entries(command)]
    assert sorted((item["key"], item["by"], item["source"]) for item in told) == [
        ("z-1", "mrossi", "zendesk"), ("z-2", "tom", "zendesk"), ("z-3", "mrossi", "zendesk"),
    ]  # fmt: skip
    assert command("audit", "verify").code == 0
    assert command("audit", "verify", "--decisions").code == 0


def test_a_table_says_the_same(shop, command):
    rows = [HEADER, *(f"refund.issue,z-{n},{HAPPENED.isoformat()},cus_8812,A,30.00,A,500.00" for n in (1, 2))]
    path = shop.folder / "outage.csv"
    path.write_text("\ufeff" + "\r\n".join(rows) + "\r\n", encoding="utf-8")
    said = command("record", path, "--source", "zendesk", "--by", "ada", "--json").json
    assert (said["recorded"], said["already_recorded"], said["problems"]) == (2, 0, [])
    assert [item["line"] for item in said["deeds"]] == [2, 3]
    same = lines(shop.folder, {}, {"key": "z-2"})
    assert command("record", same, "--source", "zendesk", "--json").json["already_recorded"] == 2


def test_where_each_limit_stands_is_said(shop, command):
    big = {"arguments": {"order_id": "A", "amount": "290.00"}}
    path = lines(shop.folder, big, {"key": "z-2"})
    said = command("record", path, "--source", "zendesk", "--json")
    said = json.loads(said.out[said.out.index("{\n") :])  # the operational log goes elsewhere in a process of its own
    standings = {item["limit"]: item for item in said["deeds"][0]["limits"]}
    assert standings["refunds/month"]["amount"] == 29_000
    assert standings["refunds/month"]["over"] is True
    assert standings["refunds/month"]["left"] == 30_000 - standings["refunds/month"]["used"] < 0
    told = command("record", lines(shop.folder, {"key": "z-3"}), "--source", "zendesk")
    assert told.code == 0
    assert "line 1: refunds/month is over its max" in told.out


def test_a_dry_run_records_nothing(shop, command):
    path = lines(shop.folder, {}, {"key": "z-2"})
    assert command("record", path, "--source", "zendesk", "--dry-run").out == "would record 2\n"
    said = command("record", path, "--source", "zendesk", "--dry-run", "--json").json
    assert (said["dry_run"], said["recorded"], said["deeds"][0]["entry"]) == (True, 2, None)
    assert entries(command) == []


def test_nothing_is_recorded_where_a_line_is_wrong_and_every_wrong_line_is_named(shop, command):
    path = lines(
        shop.folder,
        {},
        {"key": "z-2", "arguments": {"order_id": "A", "amount": "1.001"}},
        {"key": "z-3", "happened_at": "yesterday"},
        {"key": "z-4", "amunt": 1},
        {"key": "z-5", "action": "refund.steal"},
        {"key": "z-6", "happened_at": "2999-01-01T00:00:00Z"},
        {"key": "z-7", "happened_at": "2026-11-22T09:30:00"},
        {"key": "z-8", "facts": {}},
        {"key": "z-9", "arguments": []},
        {"key": 7},
        {"key": "z-1", "arguments": {"order_id": "B", "amount": "1.00"}},
    )
    with path.open("a", encoding="utf-8") as file:
        file.write('not json\n[1]\n{"key": "a", "key": "b"}\n{"x": NaN}\n')
    said = command("record", path, "--source", "zendesk")
    assert said.code == 1
    assert [line.split(": ")[0].rpartition(":")[2] for line in said.err.splitlines()[:-1]] == [
        str(number) for number in range(2, 16)
    ]
    for words in (
        "2: `refund.issue`: `amount`",
        "3: expected `happened_at` like",
        "4: unknown field `amunt`",
        "5: no policy in force declares `refund.steal`",
        "6: expected `happened_at` in the past, got",
        "7: expected `happened_at` as a time with its zone",
        "8: limit `refunds/order` cannot count it",
        "9: expected `arguments` as an object, got a list",
        "10: expected `key` as text, got a number",
        "11: expected a key of its own, got `z-1`",
        "12: expected a JSON object on one line",
        "nothing was recorded, because of 14 lines",
    ):
        assert words in said.err
    assert entries(command) == []
    document = command("record", path, "--source", "zendesk", "--json")
    assert (document.code, len(document.json["problems"]), document.json["recorded"]) == (1, 14, 0)


def test_what_a_limit_cannot_count_is_recorded_where_that_is_wanted(shop, command):
    path = lines(shop.folder, {"facts": {}})
    assert command("record", path, "--source", "zendesk").code == 1
    told = command("record", path, "--source", "zendesk", "--partly")
    assert told.code == 0
    assert "not counted 1 times: refunds/order: " in told.out


def test_an_application_looks_up_what_the_file_does_not_tell(shop, command, monkeypatch):
    module = f"app_{abs(hash(str(shop.folder)))}"
    (shop.folder / f"{module}.py").write_text(
        f"from pathlib import Path\nfrom tests.cli.shop import guard_of\nguard = guard_of(Path({str(shop.folder)!r}))\n"
    )
    path = lines(shop.folder, {"facts": {}})
    said = command("record", path, "--source", "zendesk", "--app", f"{module}:guard", "--json")
    assert (said.code, said.json["recorded"]) == (0, 1)
    assert entries(command)[0]["entry"]["facts"]["order.total"]["source"] == "order"


def test_it_reads_in_words(shop, command):
    said = command("record", lines(shop.folder, {}), "--source", "zendesk", "--by", "ada", "--json").json
    shown = command("audit", "show", said["deeds"][0]["action_id"]).out
    for words in (
        "done elsewhere and recorded",
        "person ada",
        "zendesk",
        "30.00 USD counted",
        f"{HAPPENED:%Y-%m-%d %H:%M:%S} UTC",
    ):
        assert words in shown
    assert "person" in command("actions", "show", said["deeds"][0]["action_id"]).out
    listed = command("actions", "list", "--state", "settled", "--json").json
    told = next(item for item in listed if item["source"] == "zendesk")
    assert (told["agent"], told["conversation"]) == ("ada", "")
    assert "30.00" in command("limits", "--limit", "order").out or command("limits").code == 0


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.txt", "", "`.jsonl` or `.csv`"),
        ("a.csv", "key,key\n", "each column once"),
        ("a.csv", "kye\n", "unknown column `kye`"),
        ("a.csv", "arguments.\n", "unknown column `arguments.`"),
        ("a.csv", 'key\n"a\n', "a table in CSV"),
        ("a.jsonl", b"\xff", "in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused(shop, command, name, text, words):
    path = shop.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = command("record", path, "--source", "zendesk")
    assert (said.code, words in said.err) == (2, True), said.err


@pytest.mark.parametrize("row, words", [("a,b", "expected 3 cells"), ("refund.issue,z-1,", "expected `happened_at`")])
def test_a_row_that_is_none_is_named(shop, command, row, words):
    path = shop.folder / "a.csv"
    path.write_text(f"action,key,happened_at\n{row}\n")
    said = command("record", path, "--source", "zendesk")
    assert (said.code, f"a.csv:2: {words}" in said.err) == (1, True), said.err


def test_an_empty_file_records_nothing(shop, command):
    (shop.folder / "a.jsonl").write_text("\n\n")
    assert command("record", shop.folder / "a.jsonl", "--source", "zendesk").out == EMPTY


def test_without_policies_or_keys_nothing_is_recorded(shop, command):
    path = lines(shop.folder, {})
    (shop.folder / "shop.db.keys").unlink()
    said = command("record", path, "--source", "zendesk")
    assert said.code == 4
    assert "keys file" in said.err
    assert run(["record", str(path), "--source", "zendesk", "--store", "sqlite:///nowhere.db"]) == 4


VISITS = """\
agentguard: 1
policy: visits
version: 1
timezone: UTC
currency: USD
actions:
  visit.book: {day: date, fee: money}
  visit.cancel: {day: date}
  visit.refund: {day: date, back: money}
  visit.note: {day: date, people: integer, urgent: yes_no, tags: list of text}
context: {urgent: yes_no?}
rules: [{id: any, then: allow}]
limits:
  - {id: places, on: [visit.book], count: actions, per: day, in: forever, max: 2, over: deny, freed_by: visit.cancel}
  - id: fees
    on: [visit.book]
    sum: fee
    per: on_behalf_of
    in: forever
    max: 90
    over: deny
    freed_by: {visit.refund: back}
"""


@pytest.fixture
def clinic(elsewhere, command, monkeypatch):
    """A store with policies in force and nothing done yet."""
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "mrossi")
    (elsewhere / "visits").mkdir()
    (elsewhere / "visits" / "visits.yaml").write_text(VISITS)
    assert command("policy", "activate", "--policies", "visits", "--why", "first").code == 0
    return elsewhere


def told(command, folder, key, action="visit.book", **more):
    arguments = {"day": "2026-12-01", **more.pop("arguments", {"fee": "40.00"} if action == "visit.book" else {})}
    path = lines(folder, {"key": key, "action": action, "arguments": arguments, "facts": {}, **more})
    said = command("record", path, "--source", "desk", "--json")
    assert said.code == 0, said.err
    return said.json["deeds"][0]


def test_what_is_given_back_is_told_and_shown(clinic, command):
    booked = told(command, clinic, "a")
    undone = told(command, clinic, "b", "visit.cancel", relates_to=booked["action_id"])
    assert undone["given_back"] == [
        {"limit": "visits/places", "unit": "#", "amount": 1, "action_id": booked["action_id"]}
    ]
    told(command, clinic, "c", "visit.refund", arguments={"back": "15.00"}, relates_to=booked["action_id"])
    shown = command("actions", "show", undone["action_id"]).out
    assert f"given back  1 on visits/places, of action {booked['action_id']}" in " ".join(shown.split()).replace(
        "given back ", "given back  "
    )
    found = {item["limit"]: (item["used"], item["max"]) for item in command("limits", "--json").json}
    assert found == {"visits/places": (0, 2), "visits/fees": (2500, 9000)}
    assert command("audit", "verify").code == 0


EMPTY = "nothing to record: the file tells of no deed\n"


@pytest.mark.parametrize(
    "people, urgent, tags, wrong",
    [
        ("2", "yes", '"[""a"", ""b""]"', None),
        ("02", "yes", "[]", "`people`"),
        ("2", "perhaps", "[]", "`urgent`"),
        ("2", "no", "a", "expected `arguments.tags` as JSON"),
    ],
)
def test_cells_are_read_as_what_the_policy_declares(clinic, command, people, urgent, tags, wrong):
    header = (
        "action,key,happened_at,tenant,arguments.day,arguments.people,arguments.urgent,arguments.tags,context.urgent"
    )
    row = f"visit.note,n-1,{HAPPENED.isoformat()},north,2026-12-01,{people},{urgent},{tags},no"
    (clinic / "notes.csv").write_text(f"{header}\n{row}\n")
    said = command("record", "notes.csv", "--source", "desk")
    if wrong is not None:
        assert (said.code, wrong in said.err) == (1, True), said.err
        return
    assert said.code == 0, said.err
    body = entries(command)[0]["entry"]
    assert body["arguments"] == {"day": "2026-12-01", "people": 2, "urgent": True, "tags": ["a", "b"]}
    assert (body["context"], body["tenant"]) == ({"context.urgent": False}, "north")


def test_a_policy_says_in_words_what_gives_back(clinic, command):
    said = command("policy", "explain", "visits").out
    assert "Given back by cancel visit: all that an earlier one counted" in said
    assert "Given back by refund visit: at most the back" in said
