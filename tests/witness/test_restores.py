"""The log against its witnesses: an older database, another one and a fork refuse to act, until a person says so."""

import dataclasses
import time

import pytest

from agentguard import Done, Unavailable
from agentguard.adapters.file_witness import FileWitness
from agentguard.core.people import Power
from agentguard.errors import (
    ConfigurationError,
    LogRolledBackError,
    PowerRefusedError,
    UsageError,
    WitnessUnavailableError,
)
from tests.engine.given import PEOPLE
from tests.witness.given import Away, size_of, witnessed_shop

PERSON = {"by": "maria", "why": "the disk broke; the backup of the night", "authenticated": "token"}
STAFF = dataclasses.replace(PEOPLE, powers={"restore": Power(frozenset({"maria", "tom"}), 2)})


@pytest.fixture
def new_file(tmp_path, closed_stores):
    """The address of a database that is not there yet."""
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.checkpoint"


@pytest.fixture
def open_shop(path):
    """Open shops, each with the file as its witness unless others are given."""
    opened = []

    def open_one(address, *witnesses, **more):
        opened.append(witnessed_shop(address, *(witnesses or (FileWitness(path),)), people=STAFF, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def act(shop, *keys):
    return [shop.ask("1", key=key) for key in keys]


@pytest.mark.law(2)
def test_an_older_database_refuses_to_act_until_two_people_record_the_restore(copy, open_shop, path):
    address = copy()
    shop = open_shop(address)
    act(shop, "k-1", "k-2")
    shop.guard.close()
    backup, before = copy(address), size_of(path.read_text())
    shop = open_shop(address)
    act(shop, "k-3", "k-4")
    shop.guard.close()
    seen, note = size_of(path.read_text()), path.read_text()
    assert seen > before

    late = open_shop(backup)
    for _ in range(2):
        with pytest.raises(LogRolledBackError, match=f"with {seen} entries, and this database has {before}") as refused:
            act(late, "k-3")
        assert "agentguard audit restored" in str(refused.value)
    assert late.paid == []

    with pytest.raises(PowerRefusedError):
        late.guard.restored(**{**PERSON, "by": "kim"})
    asked = late.guard.restored(**PERSON)
    assert (bool(asked), asked.missing) == (False, 1)
    with pytest.raises(LogRolledBackError):
        act(late, "k-3")
    done = late.guard.restored(**{**PERSON, "by": "tom"})
    assert (bool(done), done.found.lost) == (True, seen - before)
    body = late.guard.audit.list(kind="restored")[0].document
    assert body["witnessed"]["file:shop.checkpoint"]["note"] == note
    assert (body["origin"], body["by"], body["with"][0]["by"]) == (done.origin, "tom", "maria")
    assert isinstance(act(late, "k-5")[0], Done)
    assert late.guard.audit.verify().ok
    late.guard.close()
    assert path.read_text().startswith(f"{done.origin}\n"), "the witness follows it under its new name"
    assert path.with_name("shop.checkpoint.0").read_text() == note
    assert isinstance(act(open_shop(backup), "k-6")[0], Done), "and it is what is compared from here on"


def test_the_database_of_before_the_restore_cannot_go_on_beside_the_restored_one(copy, open_shop):
    address = copy()
    shop = open_shop(address)
    act(shop, "k-1")
    shop.guard.close()
    backup = copy(address)
    shop = open_shop(address)
    act(shop, "k-2")
    shop.guard.close()
    late = open_shop(backup)
    late.guard.restored(**PERSON)
    late.guard.restored(**{**PERSON, "by": "tom"})
    act(late, "k-3")
    late.guard.close()
    with pytest.raises(LogRolledBackError, match="does not know of that"):
        act(open_shop(address), "k-4")


def test_a_new_database_in_the_place_of_the_old_one_is_not_the_log_that_was_seen(copy, open_shop):
    shop = open_shop(copy())
    act(shop, "k-1")
    shop.guard.close()
    with pytest.raises(LogRolledBackError, match="another database stands in its place"):
        act(open_shop(copy()), "k-1")


@pytest.mark.parametrize("more", [("k-2",), ("k-2", "k-3")], ids=["as long", "longer"])
def test_another_history_of_the_same_log_is_not_the_one_that_was_seen(copy, open_shop, path, more):
    address = copy()
    shop = open_shop(address)
    act(shop, "k-1")
    shop.guard.close()
    other = copy(address)
    for place, keys, witness in ((other, more, FileWitness(path.with_name("other"))), (address, ("k-9",), None)):
        shop = open_shop(place, *([witness] if witness else []))
        act(shop, *keys)
        shop.guard.close()
    with pytest.raises(LogRolledBackError, match="rewritten, or went on twice"):
        act(open_shop(other), "k-4")


def test_two_copies_that_go_on_apart_are_found_by_the_witness_that_they_share(copy, open_shop, path):
    address = copy()
    shop = open_shop(address)
    act(shop, "k-1")
    shop.guard.close()
    twin = open_shop(copy(address))
    shop = open_shop(address)
    for other in (shop, twin):
        other.guard.start()
    act(shop, "k-2")
    until(lambda: size_of(path.read_text()) == shop_size(shop))
    act(twin, "k-4", "k-5")
    until(lambda: twin.guard._parts.witnessing.refusal)
    paid = list(twin.paid)
    answer = twin.ask("1", key="k-6")
    assert (type(answer), answer.cause, twin.paid) == (Unavailable, "log_refused", paid)
    assert isinstance(act(shop, "k-7")[0], Done), "the one that the witness has seen goes on"
    twin.guard.close()
    with pytest.raises(LogRolledBackError):
        act(open_shop(twin.guard.store.url), "k-8")


def until(happened, seconds=10.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_witness_that_is_away_is_warned_of_and_one_that_is_required_lets_nothing_begin(new_file, open_shop, path):
    address = new_file
    away = Away(FileWitness(path))
    shop = open_shop(address, away)
    assert isinstance(act(shop, "k-1")[0], Done)
    shop.guard.close()
    assert not path.exists()
    required = Away(FileWitness(path), required=True)
    shop = open_shop(address, required)
    with pytest.raises(WitnessUnavailableError, match="it is away"):
        act(shop, "k-2")
    required.is_here = True
    assert isinstance(act(shop, "k-2")[0], Done)
    shop.guard.close()
    assert size_of(path.read_text()) == shop_size(open_shop(address, away))


def shop_size(shop):
    return shop.guard.store.read(lambda reading: reading.position())


def test_a_witness_that_comes_back_is_offered_what_it_missed(new_file, open_shop, path):
    away = Away(FileWitness(path))
    shop = open_shop(new_file, away)
    act(shop, "k-1", "k-2")
    away.is_here = True
    until(lambda: path.exists() and size_of(path.read_text()) == shop_size(shop))


def test_a_witness_that_was_emptied_is_offered_the_log_anew_and_that_is_said(new_file, open_shop, path, capfd):
    address = new_file
    shop = open_shop(address)
    act(shop, "k-1")
    shop.guard.close()
    assert "witness.forgot" not in "".join(capfd.readouterr())
    path.unlink()
    shop = open_shop(address)
    shop.guard.start()
    until(lambda: path.exists() and size_of(path.read_text()) == shop_size(shop))
    assert "witness.forgot" in "".join(capfd.readouterr())


@pytest.mark.parametrize("why", ["", "there is none"])
def test_a_restore_is_recorded_for_a_reason_and_where_something_is_missing(new_file, open_shop, why):
    shop = open_shop(new_file)
    act(shop, "k-1")
    with pytest.raises(UsageError):
        shop.guard.restored(**{**PERSON, "why": why})
    assert shop.guard.audit.list(kind="restored") == ()


def test_witnesses_of_one_name_are_told_apart_by_nobody(new_file, path):
    with pytest.raises(ConfigurationError, match=r"`file:shop\.checkpoint` twice"):
        witnessed_shop(new_file, FileWitness(path), FileWitness(path))
