"""What the command line shows of customers is recorded, and they can be erased and held from it."""

WHO = ("--why", "request 4711")


def kinds(command, kind):
    return [item["entry"] for item in command("audit", "list", "--kind", kind, "--json").json]


def test_whoever_looks_a_customer_up_says_why_and_is_recorded_once_for_all_pages(shop, command):
    said = command("audit", "list", "--customer", "cus_8812")
    assert (said.code, said.out) == (2, "")
    assert "--why" in said.err
    for page in range(3):
        assert command("audit", "list", "--customer", "cus_8812", *WHO, "--limit", str(page + 1)).code == 0
    (look,) = kinds(command, "personal_read")
    assert (look["where"], look["by"], look["why"]) == ("audit list", "mrossi", "request 4711")
    assert "cus_8812" not in str(look)


def test_a_customer_is_erased_and_the_log_still_verifies(shop, command):
    said = command("audit", "erase", "--customer", "cus_9999", *WHO, "--json")
    assert (said.code, said.json[0]["status"]) == (0, "erased")
    assert "erased" in command("audit", "erase", "--customer", "cus_9999", *WHO).out
    assert command("audit", "verify", "--decisions").code == 0
    assert "erased: p_" in command("audit", "show", str(said.json[0]["entry"])).out


def test_what_is_in_the_way_of_an_erasure_is_said_with_what_to_do(shop, command):
    said = command("audit", "erase", "--customer", "cus_8812", *WHO)
    assert said.code == 1
    assert "is under way" in said.out
    assert "withdraw it or resolve it" in said.out
    hold = command("audit", "legal-hold", "set", "--customer", "cus_9999", "--why", "case 12", "--json").json
    said = command("audit", "erase", "--customer", "cus_9999", *WHO)
    assert (said.code, hold["id"] in said.out) == (1, True)
    assert "case 12" in command("audit", "legal-hold", "list").out
    assert command("audit", "legal-hold", "lift", hold["id"], "--why", "closed").code == 0
    assert command("audit", "legal-hold", "list").out == "nothing is held\n"
    assert command("audit", "erase", "--customer", "cus_9999", *WHO).code == 0


def test_a_hold_on_what_is_not_there_is_no_hold(shop, command):
    for words in (["--customer", "cus_nobody"], ["--id", "act_nothing"], []):
        said = command("audit", "legal-hold", "set", *words, "--why", "case 12")
        assert (said.code, said.out) == (2, "")
    assert "cus_nobody" not in command("audit", "legal-hold", "set", "--customer", "cus_nobody", "--why", "x").err


def test_a_copy_for_the_customer_is_written_and_recorded(shop, command):
    assert command("audit", "about", "--customer", "cus_9999").code == 2
    said = command("audit", "about", "--customer", "cus_9999", *WHO)
    assert (said.code, "cus_9999" in said.out, "Not yours." in said.out) == (0, True, True)
    assert command("audit", "about", "--customer", "cus_9999", *WHO, "--json").json[0]["customer"] == "cus_9999"
    assert {look["where"] for look in kinds(command, "personal_read")} == {"subject access"}


def test_a_purge_says_what_stays_and_needs_a_key(shop, command, monkeypatch):
    said = command("audit", "purge", "--dry-run")
    assert (said.code, "nothing is over" in said.out) == (0, True)
    assert "of refund.issue: no policy says how long" in said.out
    assert command("audit", "purge", "--dry-run", "--json").json["records"] == 0
    said = command("audit", "purge", *WHO)
    assert (said.code, "a key to sign the tombstone" in said.err) == (2, True)
    assert command("audit", "keygen", "seal.key").code == 0
    assert command("audit", "purge", "--key", "seal.key", *WHO).code == 0
