import subprocess
import sys
from types import SimpleNamespace

import pytest

from agentguard import InDoubt
from tests.cli.shop import APPLICATION, guard_of
from tests.cli.test_escalations import environment


def test_limits_show_what_is_used_and_held_now_of_how_much(shop, command):
    said = command("limits")
    assert said.code == 0
    assert "refunds/month  per on_behalf_of, in 30 days" in said.out
    assert "refunds/order  per order.id, forever" in said.out
    line = next(line for line in said.out.splitlines() if line.startswith("cus…12"))
    assert line.split()[1:9] == ["143.00", "USD", "13.00", "USD", "300.00", "USD", "157.00", "USD"]
    assert "█" in line
    assert "▒" in line
    assert "·" in line


def test_limits_are_of_now_and_not_of_the_last_decision(shop, command):
    month = next(item for item in command("limits", "--json").json if item["limit"] == "refunds/month" and item["used"])
    assert (month["settled"], month["held"], month["max"], month["left"]) == (13000, 1300, 30000, 15700)
    guard = guard_of(shop.folder)
    guard.resolve(shop.ids["doubt"], done=False, by="maria", why="looked it up")
    guard.close()
    after = next(item for item in command("limits", "--json").json if item["limit"] == "refunds/month" and item["used"])
    assert (after["settled"], after["held"]) == (13000, 0)
    newest = command("actions", "show", shop.ids["too_much"], "--json").json["decision_entry"]
    assert after["entry"] == month["entry"] == newest


def test_limits_are_those_of_the_policies_in_force_now(shop, command):
    policy = shop.folder / "policies" / "refunds.yaml"
    policy.write_text(policy.read_text().replace("version: 1", "version: 2").replace("max: 300", "max: 500"))
    assert command("policy", "activate", "--why", "a larger budget").code == 0
    month = command("limits", "--limit", "month", "--json").json[0]
    assert (month["used"], month["max"]) == (14300, 50000)


def test_what_a_new_limit_counts_from_the_log_is_told(shop, command):
    policy = shop.folder / "policies" / "refunds.yaml"
    limit = "  - {id: agent, sum: amount, per: agent.id, in: 30 days, max: 900, over: deny, say: Too much.}\n"
    policy.write_text(policy.read_text().replace("version: 1", "version: 2") + limit)
    said = command("policy", "activate", "--why", "a limit for each agent")
    assert said.code == 0
    assert "refunds/agent: 2 settled and 1 under way counted from the log" in said.out
    found = command("limits", "--limit", "agent", "--json").json[0]
    assert (found["keys"], found["settled"], found["held"]) == ({"agent.id": "bot"}, 13000, 1300)
    told = command("actions", "show", shop.ids["doubt"]).out
    assert "counted by limits that came into force" in told
    assert "13.00 USD on refunds/agent" in told


def test_a_max_that_is_a_fact_is_as_the_newest_decision_saw_it(shop, command):
    order = next(item for item in command("limits", "--limit", "order", "--json").json if item["used"])
    assert (order["keys"], order["max"]) == ({"order.id": "A"}, 50000)


def test_one_limit_is_shown_by_its_short_or_full_id(shop, command):
    by_short = command("limits", "--limit", "month", "--json").json
    assert by_short == command("limits", "--limit", "refunds/month", "--json").json
    assert {item["limit"] for item in by_short} == {"refunds/month"}
    assert "touched `nothing`" in command("limits", "--limit", "nothing").out


def test_keys_older_than_the_decisions_that_are_looked_at_are_not_shown(shop, command):
    assert len(command("limits", "--limit", "month", "--json").json) == 2
    assert len(command("limits", "--limit", "month", "--decisions", "1", "--json").json) == 1


def test_everything_stops_and_goes_on(shop, command):
    said = command("halt", "--why", "refunds twice")
    assert said.code == 0
    assert "stopped: all" in said.out
    assert "refunds twice" in command("halt", "--list").out
    assert [item["target"] for item in command("halt", "--list", "--json").json] == ["all"]
    guard = guard_of(shop.folder)
    answer = guard.run("refund.issue", {"order_id": "A", "amount": "1.00"}, agent="bot", on_behalf_of="cus_8812",
                       context={"conversation": "c"}, key="while stopped")  # fmt: skip
    assert answer.reason_code == "halted"
    guard.close()
    assert command("resume", "--why", "repaired", "--json").json == {
        "target": "all", "halted": False, "changed": True, "missing": 0
    }  # fmt: skip
    assert command("halt", "--list").out == "nothing is stopped\n"
    assert "was not stopped" in command("resume", "--why", "again").out
    entry = command("audit", "list", "--kind", "halted", "--json").json[0]["entry"]
    assert (entry["by"], entry["why"]) == ("mrossi", "refunds twice")


@pytest.mark.parametrize(
    "target,words",
    [
        ("action:refund.isue", "no policy in force has an action `refund.isue`, so that this may stop nothing; did"),
        ("agent:bott", "none of the newest 1,000 decisions is about an agent `bott`, so that this may stop nothing"),
    ],
)
def test_a_stop_that_may_stop_nothing_says_so_and_is_in_force_all_the_same(shop, command, target, words):
    said = command("halt", target, "--why", "twice")
    assert said.code == 1
    assert f"stopped: {target}" in said.out
    assert words in said.err
    assert command("halt", target, "--why", "twice", "--json").json == {
        "target": target, "halted": True, "known": False
    }  # fmt: skip
    assert command("resume", target, "--why", "mistyped", "--json").json["changed"] is True


@pytest.mark.parametrize("target", ["all", "action:refund.issue", "agent:bot"])
def test_a_stop_of_something_known_raises_no_doubt(shop, command, target):
    said = command("halt", target, "--why", "twice")
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("verb", ["halt", "resume"])
@pytest.mark.parametrize("words", [["--why", ""], [], ["refund.issue", "--why", "x"], ["agent:", "--why", "x"]])
def test_stopping_takes_a_target_and_a_reason(shop, command, verb, words):
    said = command(verb, *words)
    assert said.code == 2
    assert "expected" in said.err
    assert "halted" not in [item["entry"]["kind"] for item in command("audit", "list", "--json").json]


def test_actions_are_listed_with_whole_ids_and_by_state(shop, command):
    said = command("actions", "list")
    assert said.code == 0
    assert all(shop.ids[key] in said.out for key in ("done", "doubt", "waiting"))
    waiting = command("actions", "list", "--state", "waiting", "--json").json
    assert [item["id"] for item in waiting] == [shop.ids["waiting"]]
    assert command("actions", "list", "--state", "ready").out == "no actions\n"


def test_pages_of_actions_join(shop, command):
    whole = [item["id"] for item in command("actions", "list", "--json").json]
    rest = command("actions", "list", "--after", whole[2], "--json").json
    assert whole[3:] == [item["id"] for item in rest]
    assert f"--after {whole[2]}" in command("actions", "list", "--limit", "3").out


def test_what_needs_the_application_says_so(shop, command):
    for words in (["recover"], ["actions", "resolve", shop.ids["doubt"], "--done", "--why", "seen"]):
        said = command(*words)
        assert said.code == 2
        assert "--app" in said.err


def test_resolving_takes_an_outcome_and_a_reason(shop, command):
    for words in ([], ["--done"], ["--why", "seen"], ["--done", "--why", " "]):
        said = command("actions", "resolve", shop.ids["doubt"], "--app", "shop_app:guard", *words)
        assert said.code == 2
        assert "expected --done or --not-done, and --why" in said.err


@pytest.mark.parametrize(
    "app,words",
    [
        ("shop", "expected an application like `shop.guard:guard`"),
        ("no_such_module:guard", "No module named"),
        ("json:nothing", "no attribute"),
        ("json:dumps", "expected a Guard"),
    ],
)
def test_an_application_that_is_none_is_named(shop, command, app, words):
    said = command("recover", "--app", app)
    assert said.code == 2
    assert words in said.err


def test_a_person_resolves_what_is_in_doubt_with_the_application(shop, command):
    (shop.folder / "shop_app.py").write_text(APPLICATION.format(folder=str(shop.folder)))
    resolve = [
        "actions",
        "resolve",
        shop.ids["doubt"],
        "--done",
        "--why",
        "seen in the books",
        "--app",
        "shop_app:guard",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from agentguard.cli import main; main()", *resolve, "--json"],
        cwd=shop.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert command("actions", "show", shop.ids["doubt"], "--json").json["state"] == "settled"


def test_a_person_who_resolves_what_is_being_sent_again_is_told_so(shop, command, monkeypatch):
    overtaken = InDoubt(decision_id=shop.ids["doubt"], action="refund.issue", entry=17)
    guard = SimpleNamespace(people=None, resolve=lambda *_, **__: overtaken)
    monkeypatch.setattr("agentguard.cli.actions.open_app", lambda _: guard)
    words = ["actions", "resolve", shop.ids["doubt"], "--done", "--why", "seen", "--app", "shop_app:guard"]
    said = command(*words)
    assert said.code == 1
    assert "nothing was moved" in said.out
    assert "entry 17" in said.out
    assert command(*words, "--json").json["status"] == "in_doubt"
