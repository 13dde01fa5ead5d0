"""The key that signs here is a witness at hand: what it signed is compared with the log, as what others have is."""

import time
from datetime import timedelta

import pytest

from agentguard import Done, Unavailable
from agentguard.engine.comparing import OWN_KEY, compared, look_again
from agentguard.engine.sealing import Sealing
from agentguard.engine.signing import SigningKeyFile, make_key
from agentguard.engine.signing_memory import SignedFile
from agentguard.errors import LogRolledBackError, StoreUnavailableError
from tests.engine.given import shop
from tests.sealing.given import add

PERSON = {"by": "maria", "why": "the disk broke; the backup of the night"}
SELDOM = timedelta(hours=1)


@pytest.fixture
def key(tmp_path):
    make_key(tmp_path / "seal.key", "shop")
    return tmp_path / "seal.key"


@pytest.fixture
def open_shop(key):
    """Open shops that seal with one key, without any witness."""
    opened = []

    def open_one(address, **more):
        opened.append(shop(address, signer=Sealing(SigningKeyFile(key), SELDOM), people=None, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def acted(open_shop, address, *keys):
    """Let a shop act and end, and return how many entries its log has then."""
    one = open_shop(address)
    assert all(isinstance(one.ask("1", key=key), Done) for key in keys)
    size = one.guard.seals.seal().size
    one.guard.close()
    return size


def until(happened, seconds=10.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.law(3)
def test_an_older_database_than_the_key_has_signed_refuses_to_act_until_the_restore_is_recorded(copy, open_shop):
    address = copy()
    before = acted(open_shop, address, "k-1")
    backup = copy(address)
    seen = acted(open_shop, address, "k-2")
    late = open_shop(backup)
    with pytest.raises(
        LogRolledBackError, match=f"`own key`: it has seen this log with {seen} entries, and .* {before}"
    ):
        late.ask("1", key="k-2")
    assert (late.paid, late.guard.seals.state().entries) == ([], before), "nothing was even written"
    done = late.guard.restored(**PERSON)
    assert (done.found.lost, late.guard.audit.list(kind="restored")[0].document["witnessed"][OWN_KEY]["size"]) == (
        seen - before,
        seen,
    )
    assert isinstance(late.ask("1", key="k-3"), Done), "who has the key has agreed to the new name with that"
    assert late.guard.seals.seal().checkpoint.origin == done.origin
    late.guard.close()
    with pytest.raises(LogRolledBackError, match="does not know of that"):
        open_shop(address).ask("1", key="k-4")


def test_another_history_of_the_same_log_is_not_what_the_key_signed(copy, open_shop, key):
    address = copy()
    acted(open_shop, address, "k-1")
    other = copy(address)
    acted(open_shop, address, "k-2")
    unsealed = shop(other, people=None)
    assert isinstance(unsealed.ask("1", key="k-3"), Done)
    assert isinstance(unsealed.ask("1", key="k-4"), Done)
    unsealed.guard.close()
    with pytest.raises(LogRolledBackError, match="are not those that it has seen"):
        open_shop(other).ask("1", key="k-5")


def test_a_new_database_beside_an_old_key_is_another_log_and_a_key_without_a_memory_knows_none(copy, open_shop, key):
    address = copy()
    acted(open_shop, address, "k-1")
    backup = copy(address)
    acted(open_shop, address, "k-2")
    assert isinstance(open_shop(copy()).ask("1", key="k-1"), Done)
    key.with_name("seal.key.signed").unlink()
    assert isinstance(open_shop(backup).ask("1", key="k-2"), Done)


def test_what_another_process_signs_while_it_is_compared_is_no_difference(copy, open_shop, key):
    address = copy()
    acted(open_shop, address, "k-1")
    other = open_shop(address)

    class Slow(SignedFile):
        """Meanwhile another one seals what is new."""

        def names(self):
            add(other.guard.store)
            other.guard.seals.seal()
            return super().names()

    one = open_shop(address)
    one.guard.seals.read_key()
    one.guard._parts.witnessing.signed = Slow(f"{key}.signed")
    assert compared(one.guard.store, one.guard._parts.witnessing, 1).differences == ()


def test_a_guard_that_acts_on_a_copy_begins_nothing_once_the_key_signs_the_other_one(copy, open_shop):
    address = copy()
    acted(open_shop, address, "k-1")
    twin = open_shop(copy(address))
    one = open_shop(address)
    for each in (twin, one):
        each.guard.start()
        until(lambda looking=each.guard.seals._loop: looking.sealed)
    assert isinstance(twin.ask("1", key="k-2"), Done)
    assert all(isinstance(one.ask("1", key=f"k-{number}"), Done) for number in (2, 3, 4))
    one.guard.seals.seal()
    look_again(twin.guard._parts)
    answer = twin.ask("1", key="k-9")
    assert (type(answer), answer.cause, len(twin.paid)) == (Unavailable, "log_refused", 1)
    look_again(one.guard._parts)
    assert isinstance(one.ask("1", key="k-9"), Done)


def test_a_sealer_that_finds_another_log_lets_nothing_begin_without_waiting_for_the_next_round(copy, open_shop, key):
    address = copy()
    acted(open_shop, address, "k-1")
    twin = shop(copy(address), signer=Sealing(SigningKeyFile(key), timedelta(milliseconds=50)), people=None)
    twin.guard.start()
    until(lambda: twin.guard.seals._loop.sealed)
    acted(open_shop, address, "k-2", "k-3")
    until(lambda: twin.guard._parts.witnessing.refusal)
    assert twin.ask("1", key="k-2").cause == "log_refused"
    twin.guard.close()


@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda memory: memory.write_text("nothing that was signed\n"), LogRolledBackError),
        (lambda memory: (memory.unlink(), memory.mkdir()), StoreUnavailableError),
    ],
    ids=["something else", "unreadable"],
)
def test_where_it_cannot_be_told_what_the_key_signed_nothing_begins(tmp_path, open_shop, key, spoil, error):
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    acted(open_shop, address, "k-1")
    spoil(key.with_name("seal.key.signed"))
    late = open_shop(address)
    with pytest.raises(error, match=r"seal\.key\.signed"):
        late.ask("1", key="k-2")
    assert late.paid == []
