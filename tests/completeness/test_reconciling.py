"""What a payment provider's books say beside the record: everything that differs is found, and nothing else is."""

import csv
import gc
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median

import pytest

from agentguard.cli.bookfile import BookFile, Reading
from agentguard.core.narration.narrator import Narrator
from agentguard.engine.affected import Suspect
from agentguard.engine.reconciling import CODES, Scope
from agentguard.store import Store
from agentguard.store.payments import Payment, Payments
from tests.cli import shop as shops
from tests.completeness.conftest import guard_of, line
from tests.project.tree import ROOT


@pytest.fixture
def compare(shop, command):
    def compared(lines, *words, units="major", **more):
        path = shop.export(lines, **more)
        return command("audit", "reconcile", path, "--units", units, "--slack", "0", "--json", *words)

    return compared


def about_doubts(shop):
    """What is found of the shop whatever the books say: nobody knows yet what became of two of its actions."""
    return [("in_doubt", shop.ids["lost"]), ("in_doubt", "re_3")]


def test_books_that_say_what_the_record_says_differ_only_in_what_is_in_doubt(shop, compare):
    said = compare(shop.lines())
    assert said.code == 1
    assert said.found == sorted(about_doubts(shop))
    assert (said.json["matched"], said.json["payments"], said.json["actions"]) == (
        3,
        4,
        5,
    )  # the first was begun before it was paid
    details = {item["payment"] or item["action_id"]: item["detail"] for item in said.json["findings"]}
    assert details == {
        "re_3": "the provider says that it was paid",
        shop.ids["lost"]: "the provider has no such payment",
    }


def test_nothing_is_found_and_the_exit_code_is_zero_once_nothing_is_in_doubt(shop, compare):
    guard = guard_of(shop.folder, [])
    for key, done in (("doubt", True), ("lost", False)):
        guard.resolve(shop.ids[key], done=done, by="maria", why="looked it up", authenticated="os_login")
    guard.close()
    said = compare(shop.lines())
    assert (said.code, said.found, said.json["matched"]) == (0, [], 4)


def test_a_payment_that_nothing_on_record_asked_for_is_found(shop, compare):
    lines = shop.lines()
    lines.insert(
        1, line("re_rogue", "500.00", at=datetime.fromisoformat(lines[0]["Created (UTC)"]).replace(tzinfo=UTC))
    )
    said = compare(lines)
    assert ("payment_without_intent", "re_rogue") in said.found
    rogue = next(item for item in said.json["findings"] if item["payment"] == "re_rogue")
    assert (rogue["line"], rogue["paid"], rogue["recorded"]) == (3, "500.00 USD", "")


def test_an_action_whose_payment_is_not_in_the_books_is_found(shop, compare):
    lines = [item for item in shop.lines() if item["id"] != "re_2"]
    said = compare(lines)
    assert ("intent_without_payment", shop.ids["second"]) in said.found
    missing = next(item for item in said.json["findings"] if item["finding"] == "intent_without_payment")
    assert missing["recorded"] == "30.00 USD"


def test_a_payment_that_failed_is_none(shop, compare):
    lines = shop.lines()
    lines[1]["Status"] = "failed"
    said = compare(lines)
    found = next(item for item in said.json["findings"] if item["finding"] == "intent_without_payment")
    assert (found["action_id"], found["detail"]) == (shop.ids["second"], "the provider says that re_2 was not done")


@pytest.mark.parametrize("amount, differs", [("30.00", False), ("30.01", True), ("29.99", True)])
def test_an_amount_that_is_a_cent_off_differs(shop, compare, amount, differs):
    lines = shop.lines()
    lines[1]["Amount"] = amount
    found = [item for item in compare(lines).json["findings"] if item["finding"] == "amount_differs"]
    assert [(item["paid"], item["recorded"]) for item in found] == ([(f"{amount} USD", "30.00 USD")] if differs else [])


def test_the_same_amount_in_another_currency_differs(shop, compare):
    lines = shop.lines()
    lines[1]["Currency"] = "eur"
    assert ("amount_differs", "re_2") in compare(lines).found


def test_what_was_paid_twice_is_found_by_key_and_by_reference(shop, compare):
    lines = shop.lines()
    again, same = dict(lines[0]), dict(lines[1])
    again |= {"id": "re_again", "intent (metadata)": ""}
    same |= {"key (metadata)": "", "intent (metadata)": ""}
    said = compare([*lines[:2], again, same, *lines[2:]])
    assert [item for item in said.found if item[0] == "paid_twice"] == [
        ("paid_twice", "re_2"),
        ("paid_twice", "re_again"),
    ]


@pytest.mark.parametrize("kept", ["id", "key (metadata)", "intent (metadata)"])
def test_a_payment_is_found_by_its_reference_its_key_or_its_intent_alone(shop, compare, kept):
    lines = shop.lines()
    for name in {"key (metadata)", "intent (metadata)"} - {kept}:
        lines[0][name] = ""
    if kept != "id":
        lines[0]["id"] = "re_called_otherwise"
    assert [item for item in compare(lines).found if item[0] != "in_doubt"] == []


@pytest.mark.parametrize(
    "key, code",
    [("not_done", "paid_and_released"), ("theirs", "paid_and_not_allowed"), ("waiting", "paid_and_not_allowed")],
)
def test_a_payment_for_what_was_not_to_be_done_is_found(shop, compare, key, code):
    lines = shop.lines()
    amount = {"not_done": "14.00", "theirs": "20.00", "waiting": "90.00"}[key]
    lines.append(line("re_wrong", amount, shop.ids[key], at=datetime.now(UTC)))
    assert (code, "re_wrong") in compare(lines).found


def test_a_provider_that_was_told_of_an_entry_which_the_log_does_not_have_is_a_finding(shop, compare):
    lines = shop.lines()
    lines[0]["intent (metadata)"] = "ab" * 32
    said = compare(lines)
    assert ("intent_not_in_log", "re_1") in said.found


def test_what_is_not_finished_is_counted_and_is_no_finding(shop, compare):
    lines = shop.lines()
    lines[1]["Status"] = "pending"
    said = compare(lines)
    assert said.json["pending"] == 1
    assert said.found == sorted(about_doubts(shop))


def test_only_what_lies_in_the_window_is_compared(shop, compare):
    lines = [item for item in shop.lines() if item["id"] != "re_1"]
    said = compare(lines, "--since", "2020-01-01", "--until", "2020-01-02")
    assert (said.code, said.json["payments"], said.json["actions"]) == (0, 0, 0)
    said = compare(lines, "--since", "2020-01-01")
    assert ("intent_without_payment", shop.ids["first"]) in said.found


def test_what_differs_outside_of_the_window_is_no_finding(shop, compare):
    lines = shop.lines()
    lines[1] |= {"Amount": "500.00", "intent (metadata)": "ab" * 32}
    lines.append(dict(lines[0]) | {"id": "re_again"})
    said = compare(lines, "--since", "2020-01-01", "--until", "2020-01-02")
    assert (said.code, said.found) == (0, [])


def test_an_action_at_the_edge_of_the_window_is_counted_and_no_finding(shop, command):
    lines = [item for item in shop.lines() if item["id"] != "re_2"]
    lines[0]["Created (UTC)"] = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
    said = command("audit", "reconcile", shop.export(lines), "--units", "major", "--json")
    assert said.json["at_edges"] == 1
    assert "intent_without_payment" not in said.json["counts"]


def test_only_the_actions_that_are_asked_for_are_compared(shop, compare):
    said = compare(shop.lines(), "--action", "fee.waive")
    assert {code for code, _ in said.found} == {"payment_without_intent", "intent_not_in_log"}
    details = {item["detail"] for item in said.json["findings"] if item["finding"] == "payment_without_intent"}
    assert details == {"its key is of an action `refund.issue`, which is not compared"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_amounts_in_minor_units_and_columns_of_other_names_are_read_as_is_said(shop, compare, delimiter):
    names = {"id": "Refund", "Amount": "Cents", "Created (UTC)": "Booked", "Currency": "Currency", "Type": "Type"}
    lines = [
        {"Refund": item["id"], "Cents": f"-{item['Amount'].replace('.', '')}", "Booked": item["Created (UTC)"],
         "Currency": "USD", "Type": "refund"}
        for item in shop.lines()
    ]  # fmt: skip
    lines.append(dict(lines[0]) | {"Type": "payout", "Refund": "po_1"})
    said = compare(
        lines, "--columns", "id=Refund,amount=Cents,created=Booked", "--where", "Type=refund", "--negative",
        units="minor", header=tuple(names.values()), delimiter=delimiter,
    )  # fmt: skip
    assert said.json["problems"] == []
    assert said.json["matched"] == 3


def test_every_line_that_cannot_be_read_is_named_with_its_number_and_nothing_is_compared(shop, command):
    lines = shop.lines()
    lines[0]["Amount"] = "40.001"
    lines[1]["Created (UTC)"] = "yesterday"
    lines[2]["Status"] = "won"
    lines[3]["id"] = ""
    path = shop.export(lines)
    with path.open("a", encoding="utf-8") as file:
        file.write("too,few\n")
    said = command("audit", "reconcile", path, "--units", "major")
    assert said.code == 1
    for number, words in ((2, "decimals"), (3, "yesterday"), (4, "--status won=done"), (5, "id"), (6, "7 columns")):
        assert any(f"provider.csv:{number}:" in text and words in text for text in said.err.splitlines()), (
            number,
            said.err,
        )
    kinds = Store.open(shop.store).read(lambda reading: {item.kind for item in reading.all_entries()})
    assert "reconciled" not in kinds


@pytest.mark.parametrize(
    "words, message",
    [
        ((), "--units"),
        (("--units", "cents"), "`cents`"),
        (("--units", "major", "--columns", "id=Nothing"), "`Nothing`"),
        (("--units", "major", "--columns", "ident=id"), "`ident`"),
        (("--units", "major", "--where", "Type"), "NAME=VALUE"),
        (("--units", "major", "--status", "won=yes"), "`yes`"),
        (("--units", "minor"), "--units major"),
    ],
)
def test_what_is_not_clear_is_asked_for(shop, command, words, message):
    said = command("audit", "reconcile", shop.export(shop.lines()), *words)
    assert said.code in (1, 2)
    assert message in said.err


def test_a_file_without_payments_or_without_a_table_is_refused(shop, command):
    assert command("audit", "reconcile", shop.export([]), "--units", "major").code == 2
    assert command("audit", "reconcile", "nothing.csv", "--units", "major").code == 2
    (shop.folder / "bad.csv").write_bytes(b"id,created,amount,currency\n\xff\xfe\n")
    assert "UTF-8" in command("audit", "reconcile", "bad.csv", "--units", "major").err


def test_that_it_was_compared_is_an_entry_with_the_digest_of_the_file_and_what_came_of_it(shop, compare):
    import hashlib

    said = compare(shop.lines())
    digest = hashlib.sha256((shop.folder / "provider.csv").read_bytes()).hexdigest()
    store = Store.open(shop.store)
    entry = list(store.read(lambda reading: list(reading.all_entries())))[-1]
    body = entry.document
    assert said.json["sha256"] == body["sha256"] == digest
    assert (entry.kind, body["by"], body["authenticated"]) == ("reconciled", "mrossi", "os_login")
    assert body["findings"] == {"in_doubt": 2}
    assert Narrator([], lambda _: None, str).tell(body).title == "the provider's books and the record differ"
    before = entry.pos
    compare(shop.lines(), "--dry-run")
    assert store.read(lambda reading: reading.position()) == before


def test_what_is_found_is_written_as_a_table_that_no_spreadsheet_takes_for_a_formula(shop, compare):
    lines = shop.lines()
    lines.append(line("=1+1", "5.00"))
    said = compare(lines, "--out", "found.csv")
    rows = list(csv.DictReader((shop.folder / "found.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["finding"] for row in rows} == set(said.json["counts"])
    assert "'=1+1" in {row["payment"] for row in rows}
    assert compare(lines, "--out", "found.csv").code == 2  # it is there already


def test_people_read_what_differs_and_what_it_means(shop, command):
    said = command("audit", "reconcile", shop.export(shop.lines()), "--units", "major", "--slack", "0")
    assert said.code == 1
    assert CODES["in_doubt"] in said.out
    assert shop.ids["lost"] in said.out


def test_every_finding_stands_in_the_manual():
    for page in ("codes.md", "reconciliation.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert [code for code in CODES if f"| `{code}` |" not in text] == []


def test_two_actions_that_name_one_payment_are_found(shop, compare):
    now = datetime.now(UTC)
    guard = guard_of(shop.folder, [])
    guard.start(recover=False)
    deed = {"by": "tom", "source": "desk", "happened_at": now, "key": "d-1", "external_reference": "re_1"}
    guard.record("refund.issue", {"order_id": "A", "amount": "40.00"}, on_behalf_of="cus_8812", **deed)
    guard.close()
    said = compare([*shop.lines(), line("re_later", "1.00", at=now + timedelta(minutes=1))])
    assert ("one_payment_for_two", "re_1") in said.found
    assert said.json["payments"] == 5


def test_what_people_did_and_told_of_is_on_record(shop, compare):
    now = datetime.now(UTC)
    guard = guard_of(shop.folder, [])
    guard.start(recover=False)
    deed = {"by": "tom", "source": "desk", "happened_at": now, "key": "d-1", "external_reference": "re_desk"}
    guard.record("refund.issue", {"order_id": "A", "amount": "5.00"}, on_behalf_of="cus_8812", **deed)
    guard.close()
    said = compare([*shop.lines(), line("re_desk", "5.00", at=now)])
    assert said.found == sorted(about_doubts(shop))
    assert said.json["matched"] == 4


def test_books_and_record_are_compared_and_incidents_found_on_both_engines(address, tmp_path):
    shops.write_files(tmp_path)
    booked = []
    guard = guard_of(tmp_path, booked, address)
    asked = {"agent": "bot", "on_behalf_of": "cus_8812", "context": {"conversation": "c"}}
    first = guard.run("refund.issue", {"order_id": "A", "amount": "40.00"}, key="1", **asked)
    guard.run("refund.issue", {"order_id": "A", "amount": "30.00"}, key="2", **asked)
    paid = [Payment(2, "re_1", datetime.now(UTC), "USD", 4000, key=first.decision_id)]
    with Payments() as payments:
        payments.add(paid)
        window = Scope(since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC))
        done = guard.audit.reconcile(payments, window)
    assert dict(done.counts) == {"intent_without_payment": 1}
    cases = []
    total = guard.audit.affected(Suspect(policy="refunds@1"), cases.append)
    assert (total.actions, [case.amount for case in cases]) == (2, ["40.00 USD", "30.00 USD"])
    guard.audit.note("INC-1", [first.decision_id], by="maria", why="looked", authenticated="os_login")
    assert [note.incident for note in guard.audit.notes(actions=[first.decision_id])] == ["INC-1"]
    assert guard.audit.verify().ok


ASKED = {"agent": "bot", "on_behalf_of": "cus_8812", "context": {"conversation": "c"}}


@pytest.mark.parametrize("status, found", [("succeeded", 1), ("pending", 1), ("failed", 0)])
def test_what_nobody_asked_for_is_found_also_where_it_is_not_finished_and_not_where_it_failed(
    shop, compare, status, found
):
    lines = [*shop.lines(), line("re_rogue", "5.00", status=status)]
    assert compare(lines).found.count(("payment_without_intent", "re_rogue")) == found


def test_what_was_really_paid_is_compared_and_not_what_was_asked_for(tmp_path):
    shops.write_files(tmp_path)
    booked = []
    guard = guard_of(tmp_path, booked)
    assert guard.run("refund.issue", {"order_id": "A", "amount": "45.00"}, key="fee", **ASKED).status == "done"
    with Payments() as payments:
        payments.add([Payment(2, "re_1", datetime.now(UTC), "USD", 4400, key=booked[0]["key (metadata)"])])
        done = guard.audit.reconcile(payments)
    guard.close()
    assert (done.ok, done.matched) == (True, 1)


def test_everything_in_a_window_that_is_shorter_than_the_slack_counts(shop, command):
    lines = [item for item in shop.lines() if item["id"] != "re_2"]
    said = command("audit", "reconcile", shop.export(lines), "--units", "major", "--json")
    assert ("intent_without_payment", shop.ids["second"]) in said.found
    assert said.json["at_edges"] == 0


@pytest.mark.parametrize("amount, words", [("0.00", ()), ("-5.00", ()), ("5.00", ("--negative",))])
def test_an_amount_that_does_not_go_out_is_a_line_that_cannot_be_read(shop, command, amount, words):
    path = shop.export([line("re_1", amount)])
    said = command("audit", "reconcile", path, "--units", "major", *words)
    assert said.code == 1
    assert "provider.csv:2: expected an amount that goes out" in said.err


def peak_of(count, folder):
    """The most memory that reading and keeping so many payments took, in bytes."""
    text = "".join(
        f"re_{number},2026-11-22 09:{number // 60 % 60:02}:{number % 60:02},40.00,usd,succeeded,act_{number}\n"
        for number in range(count)
    )
    path = folder / f"{count}.csv"
    path.write_text(f"id,created,amount,currency,status,key\n{text}", encoding="utf-8")
    gc.collect()
    tracemalloc.start()
    with Payments() as payments:
        lines = BookFile(path, Reading("major")).payments()
        while some := list(islice(lines, 1_000)):
            payments.add(some)
        assert payments.count() == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_file_that_is_four_times_as_long_takes_no_more_memory(tmp_path):
    peak_of(100, tmp_path)
    assert peak_of(8_000, tmp_path) < 1.2 * peak_of(2_000, tmp_path)


def lookup_in(count):
    """How long it takes to find a payment among so many, in seconds of work."""
    now = datetime.now(UTC)
    with Payments() as payments:
        payments.add(
            Payment(line, f"re_{line}", now, "USD", 1, "done", f"act_{line}", f"{line:064x}") for line in range(count)
        )
        rounds = []
        for _ in range(5):
            began = time.process_time()
            for number in range(100):
                payments.of(f"act_{number}", [f"re_{number}"], [f"{number:064x}"])
            rounds.append(time.process_time() - began)
        return median(rounds)


def test_a_payment_is_found_as_fast_among_many_as_among_few():
    assert lookup_in(8_000) < 3 * lookup_in(500)
