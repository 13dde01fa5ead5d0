"""Who signed a change of policies, as a pack shows it without agentguard; each is forged by hand here."""

import pytest

from agentguard import Guard
from agentguard.evidence import verify
from agentguard.evidence.keys import SigningKey
from agentguard.evidence.note import read_note, sign_note
from tests.changecontrol import given
from tests.changecontrol.conftest import Staff
from tests.engine.given import bundle
from tests.pack.conftest import KEY

MARIA, TOM = SigningKey("maria", b"\x01" * 32), SigningKey("tom", b"\x02" * 32)


@pytest.fixture
def pack(tmp_path):
    """A pack of a log in which maria asked for a change and tom made it, each with a key of their own."""
    staff = Staff()
    guard = Guard(bundle(given.BEGIN), store=f"sqlite:///{tmp_path / 'shop.db'}", people=staff, signer=KEY)
    given.make(guard, "maria")
    given.make(guard, "tom")
    staff.sign("maria", "tom")
    given.make(guard, "maria", given.LOOSER, signer=MARIA)
    assert given.make(guard, "tom", given.LOOSER, signer=TOM)
    guard.seals.seal()
    guard.audit.export(tmp_path / "pack.zip", by="ada", why="the audit of 2026")
    guard.close()
    return str(tmp_path / "pack.zip")


def checked(pack, change=lambda body: None):
    """Check the people of a pack whose activating entry was changed."""
    found = verify.Checked(verify.Pack(pack), [verify.Key(KEY.key.text)], [], [])
    assert not found.broken
    entry = [entry for entry in found.entries.values() if entry.body["kind"] == "activated"][-1]
    change(entry.body)
    return found.people(), found.broken


def test_who_signed_a_change_is_named_and_shown(pack, capsys):
    assert verify.main([pack, "--key", KEY.key.text]) == 0
    named = f"maria with maria ({MARIA.key.id.hex()}), tom with tom ({TOM.key.id.hex()})"
    assert f"ok       changes of policies are signed by {named}\n" in capsys.readouterr().out
    found = verify.Checked(verify.Pack(pack), [], [], [])
    position = next(str(pos) for pos, entry in found.entries.items() if entry.body.get("signature"))
    assert verify.main([pack, "--key", KEY.key.text, "show", position]) == 0
    assert f"signed     with maria+{MARIA.key.id.hex()}; whose that is, says people file " in capsys.readouterr().out


def signed_anew(body, key, change=lambda text: text):
    text = change(read_note(body["signature"]["note"]).text)
    body["signature"] = {"key": body["signature"]["key"], "note": sign_note(text, key)}


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda body: signed_anew(body, SigningKey("tom", b"\x03" * 32)), "did not sign this text"),
        (lambda body: body["signature"].update(note=body["signature"]["note"].replace("by tom", "by eve")), "did not"),
        (lambda body: signed_anew(body, TOM, lambda text: text.replace("by tom", "by eve")), "another change"),
        (lambda body: signed_anew(body, TOM, lambda text: text.replace("log agentguard/", "log a/")), "another change"),
        (lambda body: signed_anew(body, TOM, lambda text: text.replace("replaces b", "replaces B")), "another change"),
        (lambda body: signed_anew(body, TOM, lambda text: text.replace("version 2", "version 3")), "another change"),
        (lambda body: signed_anew(body, TOM, lambda text: f"x{text}"), "another change"),
        (lambda body: body.update(bundle="0" * 64), "another change"),
        (lambda body: body.update(before="0" * 64), "another change"),
        (lambda body: body["signature"].update(note="nothing"), "expected a text"),
    ],
)
def test_a_signature_of_something_else_is_said(pack, change, said):
    _, broken = checked(pack, change) if said != "expected a text" else raised(pack, change)
    assert [words for words in broken if said in words], broken


def raised(pack, change):
    with pytest.raises(verify.BadPackError) as error:
        checked(pack, change)
    return None, [str(error.value)]


def test_amounts_are_said_as_people_write_them_and_counts_as_they_are():
    said = [(2500, "USD"), (5, "EUR"), (-1, "USD"), (300, "JPY"), (1, "KWD"), (12345, "CLF"), (3, "#"), (None, "USD")]
    assert [verify.amount(*item) for item in said] == [
        "25.00 USD", "0.05 EUR", "-0.01 USD", "300 JPY", "0.001 KWD", "1.2345 CLF", "3", ""
    ]  # fmt: skip


def test_the_digits_of_every_currency_are_those_of_the_guard():
    from agentguard.core.money import EXPONENTS, format_minor

    assert {code: verify.amount(12345, code) for code in EXPONENTS} == {
        code: format_minor(12345, code) for code in EXPONENTS
    }
