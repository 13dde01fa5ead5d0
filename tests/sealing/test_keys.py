"""Keys of the log: made, changed by people who may, and never one in the place of another unsaid."""

import stat
from datetime import timedelta

import pytest

from agentguard.core.people import People, Power, User
from agentguard.engine.sealing import Sealing
from agentguard.engine.signing import SigningKeyFile, from_environment, make_key, read_public
from agentguard.errors import ConfigurationError, NoteError, PowerRefusedError, UsageError
from agentguard.evidence.checkpoint import opened
from agentguard.evidence.keys import WITNESS, SigningKey, VerifierKey
from tests.engine.given import shop
from tests.sealing.given import KEY, OTHER_KEY, RecordingSigner

SAYS = {"why": "every year", "authenticated": "os_login"}
TWO = People(
    users={name: User(name, name, frozenset({name})) for name in ("maria", "tom", "eve")},
    powers={"change_key": Power(frozenset({"maria", "tom"}), 2)},
)


@pytest.fixture
def open_shop(address):
    made = []

    def open_one(key=KEY, people=TWO):
        made.append(shop(address, people=people, signer=Sealing(RecordingSigner(key), every=timedelta(hours=1))))
        guard = made[-1].guard
        guard.store.transact(lambda transaction: transaction.append({"tenant": "acme", "kind": "noted"}))
        return guard

    yield open_one
    for one in made:
        one.guard.close()


def test_a_key_is_changed_by_two_people_and_signs_what_covers_its_entry(open_shop):
    guard = open_shop()
    guard.seals.seal()
    first = guard.seals.change_key(OTHER_KEY.key.text, by="maria", **SAYS)
    assert (bool(first), first.missing) == (False, 1)
    done = guard.seals.change_key(OTHER_KEY.key, by="tom", **SAYS)
    assert done
    with pytest.raises(ConfigurationError, match="expected the log's key"):
        guard.seals.seal()
    sealed = open_shop(OTHER_KEY).seals.seal()
    assert opened(sealed.note, [OTHER_KEY.key]).size >= done.entry
    entry = guard.audit.show(done.entry).document
    assert (entry["replaces"], entry["stolen"], entry["by"]) == (KEY.key.text, False, "tom")
    assert [item["by"] for item in entry["with"]] == ["maria"]
    assert [key.key for key in guard.seals.introduced()] == [KEY.key, OTHER_KEY.key]
    assert guard.audit.verify().ok


def test_whoever_may_not_changes_no_key(open_shop):
    guard = open_shop()
    guard.seals.seal()
    with pytest.raises(PowerRefusedError):
        guard.seals.change_key(OTHER_KEY.key, by="eve", **SAYS)
    guard.seals.change_key(OTHER_KEY.key, by="maria", **SAYS)
    with pytest.raises(PowerRefusedError, match="asked for this already"):
        guard.seals.change_key(OTHER_KEY.key, by="maria", **SAYS)
    assert len(guard.seals.introduced()) == 1


def test_the_same_key_again_changes_nothing(open_shop):
    guard = open_shop(people=None)
    guard.seals.seal()
    assert not guard.seals.change_key(KEY.key, by="maria", **SAYS)
    assert len(guard.seals.introduced()) == 1


def test_that_a_key_was_stolen_stands_in_the_record(open_shop):
    guard = open_shop(people=None)
    guard.seals.seal()
    done = guard.seals.change_key(OTHER_KEY.key, by="maria", stolen=True, why="the laptop is gone")
    assert guard.audit.show(done.entry).document["stolen"] is True
    assert guard.seals.introduced()[1].stolen


def test_a_key_that_comes_back_has_to_be_asked_for_anew(open_shop):
    guard = open_shop()
    guard.seals.seal()
    for key in (OTHER_KEY, KEY):
        assert not guard.seals.change_key(key.key, by="maria", **SAYS)
        assert guard.seals.change_key(key.key, by="tom", **SAYS)
    assert guard.seals.change_key(OTHER_KEY.key, by="maria", **SAYS).missing == 1


def test_the_key_of_a_witness_signs_no_log(open_shop):
    witness = SigningKey("w", b"w" * 32, WITNESS)
    with pytest.raises(UsageError, match="signs no log"):
        open_shop().seals.change_key(witness.key, by="maria", **SAYS)
    with pytest.raises(ConfigurationError, match="witness"):
        from_environment({"AGENTGUARD_SIGNING_KEY": witness.text})


def test_a_new_key_is_in_a_file_of_its_owner_alone_and_never_in_the_place_of_another(tmp_path):
    path = tmp_path / "seal.key"
    public = make_key(path, "acme-log")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKeyFile(path).key == public
    before = path.read_text()
    with pytest.raises(UsageError, match="no key is ever overwritten"):
        make_key(path, "acme-log")
    assert path.read_text() == before
    with pytest.raises(UsageError, match="neither spaces"):
        make_key(tmp_path / "other.key", "two words")
    assert (tmp_path / "seal.key.pub").read_text() == f"{public.text}\n"
    (tmp_path / "third.key.pub").touch()
    with pytest.raises(UsageError, match="no key is ever overwritten"):
        make_key(tmp_path / "third.key", "acme-log")
    (tmp_path / "fourth.key").touch()
    with pytest.raises(UsageError, match="no key is ever overwritten"):
        make_key(tmp_path / "fourth.key", "acme-log")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "fourth.key",
        "seal.key",
        "seal.key.pub",
        "third.key.pub",
    ]


def test_a_key_that_others_may_read_is_not_used(tmp_path):
    path = tmp_path / "seal.key"
    make_key(path, "acme-log")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        SigningKeyFile(path)


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+", KEY.text[:-2], KEY.key.text, "\xff\xfe"])
def test_what_is_no_private_key_is_refused_without_a_word_of_it(tmp_path, text):
    path = tmp_path / "seal.key"
    path.touch(0o600)
    path.write_text(text, "latin-1")
    with pytest.raises(ConfigurationError) as error:
        SigningKeyFile(path)
    assert KEY.text[30:60] not in str(error.value)


def test_a_public_key_is_read_from_text_or_either_file(tmp_path):
    private, public = tmp_path / "seal.key", tmp_path / "seal.pub"
    private.write_text(KEY.text)
    public.write_text(f"{KEY.key.text}\n")
    for given in (KEY.key.text, str(private), str(public)):
        assert read_public(given) == KEY.key
    for wrong in ("", str(tmp_path), str(tmp_path / "none"), "a+b+c"):
        with pytest.raises(UsageError):
            read_public(wrong)


def test_a_private_key_in_the_place_of_a_public_one_is_not_repeated():
    with pytest.raises(NoteError, match="got a private one") as error:
        VerifierKey.read(KEY.text)
    assert KEY.text[-20:] not in str(error.value)


@pytest.mark.parametrize("read", [read_public, SigningKeyFile])
def test_a_private_key_in_the_place_of_a_file_is_not_repeated(read):
    with pytest.raises((UsageError, ConfigurationError), match="private key") as error:
        read(f"{KEY.text[:-1]}?" if read is read_public else KEY.text)
    assert KEY.text[-20:-1] not in str(error.value)


def test_where_the_environment_names_nothing_nobody_signs(tmp_path):
    assert from_environment({}) is None
    assert from_environment({"AGENTGUARD_SIGNING_KEY": KEY.text}).key == KEY.key
    make_key(tmp_path / "seal.key", "acme-log")
    found = from_environment({"AGENTGUARD_SIGNING_KEY": str(tmp_path / "seal.key")})
    assert isinstance(found, SigningKeyFile)
    with pytest.raises(ConfigurationError):
        from_environment({"AGENTGUARD_SIGNING_KEY": "PRIVATE+KEY+mistyped"})


def test_a_signer_whose_signature_is_not_of_its_key_seals_nothing(open_shop, address):
    class Wrong(RecordingSigner):
        def sign(self, message):
            return OTHER_KEY.sign(message)

    guard = shop(address, signer=Wrong()).guard
    guard.store.transact(lambda transaction: transaction.append({"tenant": "acme", "kind": "noted"}))
    with pytest.raises(NoteError, match="its own key does not confirm"):
        guard.seals.seal()
    assert guard.seals.newest() is None
    guard.close()
