"""`agentguard escalations show`: the packet, and what is personal in it for whoever may decide."""

from tests.cli.shop import guard_of


def test_what_is_personal_is_shown_to_who_may_decide_and_that_is_recorded(shop, command):
    guard = guard_of(shop.folder)
    waiting = guard.run(
        "refund.issue",
        {"order_id": "A", "amount": "70.00", "email": "ann@example.com"},
        agent="bot",
        on_behalf_of="cus_8812",
        context={"conversation": "c", "summary": "Ann waits since May.", "link": "https://desk.example/1"},
        key="personal",
    ).escalation.id
    guard.close()
    closed = command("escalations", "show", waiting)
    assert (closed.code, "Ann" in closed.out, "ann@example.com" in closed.out) == (0, False, False)
    assert "email     (personal)" in closed.out
    assert "--personal shows what is personal to who may decide" in closed.out
    opened = command("escalations", "show", waiting, "--personal")
    assert opened.code == 0
    for words in ("Ann waits since May.", "ann@example.com", "https://desk.example/1", "cus_8812"):
        assert words in opened.out, words
    viewed = command("audit", "list", "--kind", "viewed", "--json").json[0]["entry"]
    assert (viewed["voter"], set(viewed["personal"])) == (
        "maria",
        {"arguments.email", "context.summary", "context.link"},
    )
    document = command("escalations", "show", waiting, "--personal", "--json").json["packet"]
    assert document["conversation"]["summary"] == "Ann waits since May."


def test_whoever_may_not_decide_sees_nothing_personal(shop, command, monkeypatch):
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "tom")
    said = command("escalations", "show", shop.ids["esc:waiting"], "--personal")
    assert (said.code, said.out) == (2, "")
    assert "may not" in said.err
