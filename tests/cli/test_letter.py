"""`agentguard letter`: the customer's letter from the record alone."""

from agentguard.core.letter import WIDTH


def test_the_letter_is_written_from_the_record(shop, command):
    said = command("letter", shop.ids["waiting"])
    assert said.code == 0
    assert said.out.startswith("Your request: issue refund\n")
    assert "With amount up to 50.00 USD it would have been allowed automatically." in " ".join(said.out.split())
    assert max(map(len, said.out.splitlines())) <= WIDTH


def test_in_another_language_with_the_hosts_own_names_and_as_markdown_or_json(shop, command):
    names = shop.folder / "names.toml"
    names.write_text('"refund.issue" = "eine Erstattung"\namount = "Betrag"\n', encoding="utf-8")
    options = ["letter", shop.ids["waiting"], "--language", "de", "--names", names]
    said = command(*options, "--markdown")
    assert said.out.startswith("# Ihre Anfrage: eine Erstattung\n")
    assert "- Betrag: 80,00 USD" in said.out
    assert command(*options, "--json").json["parts"][0]["title"] == "Worum Sie gebeten haben"


def test_names_are_found_beside_the_policies_by_the_letters_language(shop, command):
    names = shop.folder / "policies" / "names.de.toml"
    names.write_text('"refund.issue" = "eine Erstattung"\n', encoding="utf-8")
    assert command("letter", shop.ids["waiting"], "--language", "de").out.startswith("Ihre Anfrage: eine Erstattung\n")
    assert command("letter", shop.ids["waiting"]).out.startswith("Your request: issue refund\n")


def test_an_entry_about_an_action_names_it_too(shop, command):
    position = command("audit", "list", "--kind", "decided", "--limit", "1", "--json").json[0]["pos"]
    assert command("letter", position).code == 0
    said = command("letter", "1")
    assert said.code == 2
    assert "about an action" in said.err


def test_what_cannot_be_written_is_said(shop, command):
    names = shop.folder / "names.toml"
    for text, words in (("refund.issue = 'x'", "in quotes"), ("= = =", "as TOML")):
        names.write_text(text, encoding="utf-8")
        said = command("letter", shop.ids["waiting"], "--names", names)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    assert command("letter", shop.ids["waiting"], "--names", "nowhere.toml").code == 2
    assert "en, de, es, fr" in command("letter", shop.ids["waiting"], "--language", "tlh").err
    assert "act_nothing" in command("letter", "act_nothing").err
