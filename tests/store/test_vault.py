"""Keys apart from the log: pseudonyms, sealed values, erasure."""

import base64
import os
import sqlite3
import threading

import pytest

from agentguard.errors import StoreSchemaError, StoreUnavailableError, TamperedError, UsageError
from agentguard.store import Vault
from agentguard.store.records import Sealed
from agentguard.store.vault import MASTER_KEY, _bound


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "guard.db.keys"


@pytest.fixture
def vault(keys):
    opened = Vault.open(keys, os.urandom, {})
    yield opened
    opened.close()


def test_a_pseudonym_is_stable_tells_tenants_apart_and_leads_back(vault, keys):
    name = vault.pseudonym("acme", "cus_8812")
    assert name == vault.pseudonym("acme", "cus_8812")
    assert name != vault.pseudonym("beta", "cus_8812")
    assert vault.pseudonym("a", "bc") != vault.pseudonym("ab", "c")
    assert "8812" not in name
    assert vault.customer_of(name) == "cus_8812"
    other = Vault.open(keys, os.urandom, {})
    assert other.pseudonym("acme", "cus_8812") == name
    assert other.customer_of(name) == "cus_8812"
    other.close()


def test_nobody_has_no_pseudonym_and_a_stranger_leads_nowhere(vault):
    assert vault.pseudonym("acme", "") == ""
    assert vault.customer_of("p_unknown") is None


def test_two_vaults_share_nothing():
    one, two = Vault.open(None, os.urandom, {}), Vault.open(None, os.urandom, {})
    assert one.secret != two.secret
    assert one.fingerprint != two.fingerprint
    assert one.pseudonym("acme", "cus") != two.pseudonym("acme", "cus")
    one.close()
    two.close()


def test_a_sealed_value_opens_where_it_stands_and_nowhere_else(vault):
    name = vault.pseudonym("acme", "cus_8812")
    sealed = vault.seal(name, "customer.email", b"ann@example.com", "a1")
    assert vault.open_sealed(sealed, "customer.email", "a1") == b"ann@example.com"
    for field, associated in (("customer.phone", "a1"), ("customer.email", "a2")):
        with pytest.raises(TamperedError, match="got other bytes or another place"):
            vault.open_sealed(sealed, field, associated)


@pytest.mark.parametrize("subject", ["", "p_1"])
@pytest.mark.parametrize("plaintext", [b"", b"x", b"x" * 100_000])
def test_any_bytes_can_be_sealed_packed_and_opened(vault, subject, plaintext):
    sealed = vault.seal(subject, "result", plaintext, "a1")
    again = Sealed.unpack(sealed.packed)
    assert again == sealed
    assert again.digest == sealed.digest
    assert vault.open_sealed(again, "result", "a1") == plaintext


def test_the_same_value_is_sealed_differently_each_time(vault):
    first, second = (vault.seal("p_1", "customer.email", b"ann@example.com", "a1") for _ in range(2))
    assert first.kid == second.kid
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


@pytest.mark.parametrize("place", [32, 43, 44, -1])
def test_any_changed_byte_of_a_sealed_value_is_found(vault, place):
    packed = bytearray(vault.seal("p_1", "customer.email", b"ann@example.com", "a1").packed)
    packed[place] ^= 1
    with pytest.raises(TamperedError):
        vault.open_sealed(Sealed.unpack(bytes(packed)), "customer.email", "a1")


@pytest.mark.parametrize("packed", [b"", b"x" * 59, b"\xff" * 80, b"/" * 80])
def test_bytes_that_are_no_sealed_value_are_refused(packed):
    with pytest.raises(TamperedError, match="expected a sealed value"):
        Sealed.unpack(packed)


def test_what_is_erased_is_erased_for_everybody_and_only_that(vault, keys):
    other = Vault.open(keys, os.urandom, {})
    ann, bob = vault.pseudonym("acme", "ann"), vault.pseudonym("acme", "bob")
    of_ann = vault.seal(ann, "email", b"ann@example.com", "a1")
    of_bob = vault.seal(bob, "email", b"bob@example.com", "a1")
    assert other.open_sealed(of_ann, "email", "a1") == b"ann@example.com"
    assert vault.erase(ann)
    for each in (vault, other):
        assert each.open_sealed(of_ann, "email", "a1") is None
        assert each.customer_of(ann) is None
        assert each.open_sealed(of_bob, "email", "a1") == b"bob@example.com"
    assert not vault.erase(ann)
    other.close()


def test_somebody_erased_who_comes_back_has_the_same_pseudonym_and_a_new_key(vault):
    ann = vault.pseudonym("acme", "ann")
    before = vault.seal(ann, "email", b"old", "a1")
    vault.erase(ann)
    assert vault.pseudonym("acme", "ann") == ann
    assert vault.customer_of(ann) == "ann"
    after = vault.seal(ann, "email", b"new", "a1")
    assert after.kid != before.kid
    assert vault.open_sealed(before, "email", "a1") is None
    assert vault.open_sealed(after, "email", "a1") == b"new"


def test_what_another_process_erased_is_noticed_within_a_second_and_opened_never_again(keys):
    seconds = [0.0]
    here = Vault.open(keys, os.urandom, {}, lambda: seconds[0])
    elsewhere = Vault.open(keys, os.urandom, {})
    ann = here.pseudonym("acme", "ann")
    before = here.seal(ann, "email", b"before", "a1")
    assert here.knows("acme", "ann")
    elsewhere.erase(ann)
    assert (here.pseudonym("acme", "ann"), here.knows("acme", "ann")) == (ann, True)
    meanwhile = here.seal(ann, "email", b"meanwhile", "a2")
    seconds[0] = 0.99
    assert here.seal(ann, "email", b"x", "a3").kid == before.kid
    assert elsewhere.customer_of(ann) is None
    seconds[0] = 1.0
    assert here.pseudonym("acme", "ann") == ann
    after = here.seal(ann, "email", b"after", "a4")
    for each in (here, elsewhere):
        assert each.open_sealed(before, "email", "a1") is None
        assert each.open_sealed(meanwhile, "email", "a2") is None
        assert each.open_sealed(after, "email", "a4") == b"after"
        assert each.customer_of(ann) == "ann"
        each.close()


def test_a_key_that_is_gone_without_having_been_destroyed_is_not_taken_for_erasure(vault):
    other = Vault.open(None, os.urandom, {})
    sealed = other.seal("p_1", "email", b"x", "a1")
    other.close()
    with pytest.raises(StoreUnavailableError, match="it was not destroyed; restore the keys file"):
        vault.open_sealed(sealed, "email", "a1")


def test_no_plain_text_and_no_key_of_a_customer_stands_in_the_file(vault, keys):
    master = base64.b64encode(b"m" * 32).decode()
    path = keys.with_name("other.keys")
    other = Vault.open(path, os.urandom, {MASTER_KEY: master})
    name = other.pseudonym("acme", "customer-in-plain-text")
    wrapped = other._file.key(other._current[name][0])[1]
    key = other._unwrap(wrapped, _bound(name, "key", other._current[name][0]))
    other.close()
    data = path.read_bytes()
    for secret in (b"customer-in-plain-text", key, b"m" * 32, other.secret):
        assert secret not in data


def test_destroyed_keys_are_overwritten_in_the_file(vault, keys):
    name = vault.pseudonym("acme", "ann")
    vault.seal(name, "email", b"x", "a1")
    raw = sqlite3.connect(keys)
    (wrapped,) = raw.execute("SELECT wrapped FROM subject_key WHERE subject = ?", (name,)).fetchone()
    raw.close()
    assert wrapped in keys.read_bytes()
    vault.erase(name)
    vault.close()
    assert wrapped not in keys.read_bytes()
    assert [path.name for path in keys.parent.iterdir()] == [keys.name]


def test_the_keys_file_is_its_owners_alone(vault, keys):
    assert keys.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keys_file_that_others_may_read_is_refused(vault, keys, mode):
    vault.close()
    keys.chmod(mode)
    with pytest.raises(StoreUnavailableError, match="run `chmod 600` on it"):
        Vault.open(keys, os.urandom, {})


def test_a_master_key_from_the_environment_opens_the_file_and_no_other_does(keys):
    one, two = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    made = Vault.open(keys, os.urandom, {MASTER_KEY: one})
    secret = made.secret
    made.close()
    again = Vault.open(keys, os.urandom, {MASTER_KEY: one})
    assert again.secret == secret
    again.close()
    with pytest.raises(StoreUnavailableError, match="got another one"):
        Vault.open(keys, os.urandom, {MASTER_KEY: two})
    with pytest.raises(StoreUnavailableError, match="expected `AGENTGUARD_MASTER_KEY` to open"):
        Vault.open(keys, os.urandom, {})


def test_a_file_with_its_own_master_key_takes_no_other(vault, keys):
    with pytest.raises(StoreUnavailableError, match="unset `AGENTGUARD_MASTER_KEY`"):
        Vault.open(keys, os.urandom, {MASTER_KEY: base64.b64encode(os.urandom(32)).decode()})


@pytest.mark.parametrize(
    "text", ["short", "not base64!", base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode()]
)
def test_a_master_key_that_is_not_32_bytes_is_refused_without_showing_it(keys, text):
    with pytest.raises(UsageError, match="expected 32 bytes as base64") as caught:
        Vault.open(keys, os.urandom, {MASTER_KEY: text})
    assert f"`{text}`" not in str(caught.value)
    assert not keys.exists()


@pytest.mark.parametrize(
    "url,name",
    [("sqlite:///{}/shop.db", "shop.db.keys"), ("sqlite:///file:{}/shop.db?mode=ro&uri=true", "shop.db.keys")],
)
def test_the_keys_lie_beside_the_database(tmp_path, url, name):
    Vault.beside(url.format(tmp_path), os.urandom, {}).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_keys_of_a_database_in_memory_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Vault.beside("sqlite://", os.urandom, {}).close()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_another_file_and_another_version_are_said(tmp_path, keys):
    with pytest.raises(StoreUnavailableError, match="make its folder"):
        Vault.open(tmp_path / "nowhere" / "x.keys", os.urandom, {})
    keys.write_text("this is a text file, longer than a header " * 20)
    keys.chmod(0o600)
    with pytest.raises(StoreSchemaError, match="another kind of file"):
        Vault.open(keys, os.urandom, {})
    newer = tmp_path / "newer.keys"
    raw = sqlite3.connect(newer)
    raw.execute("PRAGMA user_version = 2")
    raw.close()
    newer.chmod(0o600)
    with pytest.raises(StoreSchemaError, match=r"expected the keys file .* of version 1, got version 2"):
        Vault.open(newer, os.urandom, {})


def test_threads_that_see_a_customer_for_the_first_time_agree_on_one_key(vault, keys):
    other = Vault.open(keys, os.urandom, {})
    sealed = []

    def work(opened):
        for number in range(10):
            name = opened.pseudonym("acme", f"c{number}")
            sealed.append((name, opened.seal(name, "email", name.encode(), "a1")))

    threads = [threading.Thread(target=work, args=(opened,)) for opened in (vault, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sealed) == 80
    assert len({value.kid for _, value in sealed}) == 10
    assert all(other.open_sealed(value, "email", "a1") == name.encode() for name, value in sealed)
    other.close()


def test_what_is_remembered_in_memory_is_bounded(vault, monkeypatch):
    monkeypatch.setattr("agentguard.store.vault._MOST_CACHED", 5)
    names = [vault.pseudonym("acme", f"c{number}") for number in range(20)]
    assert max(len(vault._keys), len(vault._current), len(vault._named)) <= 5
    assert [vault.customer_of(name) for name in names] == [f"c{number}" for number in range(20)]
