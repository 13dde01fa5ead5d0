import pytest

from tests.cli import shop as shops

CONTESTABLE = (
    shops.POLICY.replace("version: 1", "version: 2")
    .replace("escalations:\n", 'escalations:\n  complaints: {who: ["group:leads", "user:tom"], within: 1 day}\n')
    .replace("rules:\n", "contest: {to: complaints, within: 5 days, open_for: 3660 days}\nrules:\n")
    .replace("when: order.customer != on_behalf_of", 'when: order.customer != on_behalf_of and agent.kind != "person"')
    .replace(
        "then: allow, when: amount <= 50 and order",
        'then: allow, when: amount <= 50 and agent.kind == "person" or order',
    )
)
WORDS = "I paid for it, and my name is in the box."


@pytest.fixture
def contest(shop, command):
    (shop.folder / "policies" / "refunds.yaml").write_text(CONTESTABLE, encoding="utf-8")
    assert command("policy", "activate", "--why", "contests").code == 0
    made = command("escalations", "contest", shop.ids["theirs"], "--words", WORDS, "--channel", "phone", "--json")
    assert made.code == 0
    assert made.json["action_id"] == shop.ids["theirs"]
    return made.json["escalation"]


def test_a_contest_is_listed_and_shown_with_what_was_denied(shop, command, contest):
    listed = command("escalations", "list").out
    assert f"the denial of {shop.ids['theirs']}" in listed
    assert {item["kind"] for item in command("escalations", "list", "--json").json} == {"approval", "contest"}
    shown = command("escalations", "show", contest)
    assert "refunds/theirs" in shown.out
    assert WORDS not in shown.out
    seen = command("escalations", "show", contest, "--personal", "--as", "tom")
    assert WORDS in " ".join(seen.out.split())


def test_whoever_took_it_down_has_seen_it_and_another_one_upholds_it(shop, command, contest):
    refused = command("escalations", "approve", contest, "--reason-code", "goodwill")
    assert refused.code == 2
    assert "`maria` has seen this case before" in refused.err
    (shop.folder / "shop_app.py").write_text(shops.APPLICATION.format(folder=str(shop.folder)), encoding="utf-8")
    said = command(
        "escalations", "approve", contest, "--reason-code", "goodwill", "--as", "tom", "--app", "shop_app:guard"
    )
    assert said.code == 0
    assert "refund.issue: done" in said.out
    assert command("actions", "show", shop.ids["theirs"], "--json").json["state"] == "denied"
    story = " ".join(command("audit", "show", shop.ids["theirs"]).out.split())
    assert "contested by the customer; the words are sealed" in story
    assert "the contest is upheld: a person asks for it" in story
    assert "they have seen the case before" in story
    assert command("audit", "verify").code == 0


def test_what_nobody_may_contest_is_said_in_one_line(shop, command):
    said = command("escalations", "contest", shop.ids["theirs"], "--words", WORDS)
    assert said.code == 2
    assert "no policy says `contest`" in said.err


def test_a_contest_that_is_not_upheld_stays_denied(shop, command, contest):
    said = command("escalations", "reject", contest, "--reason-code", "within_policy", "--as", "tom")
    assert said.code == 0
    assert f"{shop.ids['theirs']} is denied" in said.out
    story = " ".join(command("audit", "show", shop.ids["theirs"]).out.split())
    assert "the contest is over, rejected: it stays denied" in story


def test_a_policy_says_in_words_where_a_denial_may_be_contested(shop, command):
    (shop.folder / "policies" / "refunds.yaml").write_text(CONTESTABLE, encoding="utf-8")
    words = "people of complaints who have not seen the case decide and have 5 days"
    assert words in " ".join(command("policy", "explain", "policies/refunds.yaml").out.split())
