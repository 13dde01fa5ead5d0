"""A new or changed limit counts what the log says was done before it came into force."""

from datetime import UTC, datetime, timedelta

import pytest

from agentguard import Denied, Done, Guard, Idempotent, InDoubt, Money, Queryable, Ready
from agentguard.engine import filling
from agentguard.engine.openings import Beginning
from agentguard.errors import StoreUnavailableError
from agentguard.store import Vault
from agentguard.testing.clock import ManualClock
from tests.engine.given import PEOPLE, bundle

POLICY = """
agentguard: 1
policy: spending
version: {version}
owner: tests@acme.example
description: What may be spent.
timezone: Europe/Berlin
currency: {currency}
mode: {mode}
actions:
  card.charge: {{shop_id: text, amount: {amount}, note: "text?, personal"}}
facts:
  shop.region: text
  shop.budget: money
  customer.email: text?, personal
context: {{{context}}}
names: {{full: shop.budget, part: "{part}"}}
rules:
  - {{id: fine, then: allow, when: {when}}}
limits: [{limits}]
"""
OTHERS = """
agentguard: 1
policy: others
version: 1
owner: tests@acme.example
description: Lets everything pass.
timezone: Europe/Berlin
currency: USD
actions:
  card.charge: {shop_id: text, amount: money, note: "text?, personal"}
facts: {shop.region: text, shop.budget: money, customer.email: "text?, personal"}
rules: [{id: fine, then: allow, when: yes}]
"""
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
BY_CUSTOMER = "{id: %s, sum: amount, per: on_behalf_of, in: %s, max: %s, over: deny}"
MONTH = BY_CUSTOMER % ("month", "30 days", "100")
DAILY = "{id: daily, sum: amount, in: 1 days, max: 100, over: deny}"
NO_LIMITS = ""


class World:
    """A guard, its clock, and what its tool does next."""

    def __init__(self, address, *texts, **options):
        self.address, self.clock, self.count = address, ManualClock(NOON), iter(range(10_000))
        self.vault = options.pop("vault", None)
        self.real, self.breaks, self.meanwhile, self.versions = None, False, None, iter(range(2, 10_000))
        self.guard = Guard(
            bundle(*texts), store=address, people=PEOPLE, clock=self.clock, activate=True, vault=self.vault
        )

        @self.guard.fact("shop")
        def shop(shop_id):
            return {"region": f"region-{shop_id[0]}", "budget": Money.of("1000.00", "USD")}

        @self.guard.fact("customer")
        def customer(on_behalf_of):
            return {"email": f"{on_behalf_of}@mail.example"}

        def settles(result):
            return result if isinstance(result, dict) else {}

        effect = options.pop("effect", Queryable(lookup=lambda key: None, settle_lag=timedelta(days=1000)))

        @self.guard.action("card.charge", effect=effect, settles=settles)
        def charge(shop_id: str, amount: Money, note: str | None = None, *, key: str) -> dict:
            if self.breaks:
                raise RuntimeError("lost")
            if self.meanwhile:
                self.meanwhile()
            return self.real or {}

    def ask(self, amount="10.00", *, who="c-1", shop="A", run=None, context=None, **more):
        return (run or self.guard.run)(
            "card.charge",
            {"shop_id": shop, "amount": amount, **more},
            agent="bot",
            on_behalf_of=who,
            context=context or {},
            key=f"k-{next(self.count)}",
        )

    def ran(self, *args, **more):
        answer = self.ask(*args, **more)
        assert isinstance(answer, Done | Denied), answer
        return isinstance(answer, Done)

    def doubtful(self, *args, **more):
        self.breaks = True
        answer = self.ask(*args, **more)
        self.breaks = False
        assert isinstance(answer, InDoubt)
        return answer.decision_id

    def activate(self, *texts, vault=None):
        other = Guard(bundle(*texts), store=self.address, clock=self.clock, vault=vault or self.vault)
        try:
            return other.activate(by="ada", why="a new limit")
        finally:
            other.close()

    def change(self, limits, **more):
        """Put another version with these limits into force, and return how the first of them begins."""
        return self.activate(policy(limits, version=next(self.versions), **more)).limits[0]

    def used(self, entry=None):
        """Held and settled on each account of the newest decision, by the limit's id."""
        decided = self.guard.audit.list(kind="decided", newest_first=True, limit=1)[0].document
        found = {}
        for check in decided["limits"]:
            account = self.guard.store.read(lambda r, c=check: r.account(c["account"]))
            found[check["limit"]] = (account.held, account.settled) if account else (0, 0)
        return found

    def sound(self):
        """Law 8 for every decision there is, and the whole log against its rows."""
        decided = self.guard.audit.list(kind="decided", limit=1000)
        assert all(self.guard.audit.recompute(item.pos).same for item in decided)
        verified = self.guard.audit.verify()
        return verified.ok, verified.findings


def policy(
    limits=NO_LIMITS,
    *,
    version=1,
    currency="USD",
    mode="enforce",
    amount="money",
    context="",
    when="yes",
    part="shop.budget",
):
    return POLICY.format(
        limits=limits,
        version=version,
        currency=currency,
        mode=mode,
        amount=amount,
        context=context,
        when=when,
        part=part,
    )


def numbers(opening):
    return opening.movements, opening.holds, opening.uncounted, opening.erased


@pytest.fixture
def world(address):
    made = []

    def make(*texts, **options):
        made.append(World(address, *(texts or (policy(),)), **options))
        return made[-1]

    yield make
    for one in made:
        one.guard.close()


@pytest.mark.parametrize("later,fits", [(DAY - MICROSECOND, False), (DAY, True)])
def test_a_new_limit_counts_what_was_done_before_it_exactly_to_the_edge_of_its_window(world, later, fits):
    shop = world()
    assert shop.ran("100.00")
    shop.clock.advance(timedelta(hours=12))
    opening = shop.change(DAILY)
    assert (opening.beginning, numbers(opening)) == (Beginning.FILLED, (1, 0, 0, 0))
    shop.clock.set(NOON + later)
    assert shop.ran("0.01") is fits
    assert shop.sound() == (True, ())


@pytest.mark.law(8)
def test_decisions_before_and_after_a_filling_come_out_the_same(world):
    shop = world()
    assert shop.ran("60.00")
    shop.change(MONTH)
    assert not shop.ran("40.01")
    assert shop.ran("40.00")
    assert not shop.ran("0.01")
    assert shop.ran("100.00", who="c-2")
    assert shop.sound() == (True, ())


@pytest.mark.parametrize(
    "changed",
    [
        BY_CUSTOMER % ("renamed", "30 days", "100"),
        BY_CUSTOMER % ("month", "30 days", "200"),
        BY_CUSTOMER % ("month", "calendar year", "100"),
        "{id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 100, over: deny, because: Too much.}",
    ],
)
def test_another_name_max_or_window_keeps_what_was_used(world, changed):
    shop = world(policy(MONTH))
    assert shop.ran("70.00")
    opening = shop.change(changed)
    assert (opening.beginning, numbers(opening)) == (Beginning.KEPT, (0, 0, 0, 0))
    assert shop.ran("30.00")
    assert list(shop.used().values()) == [(0, 100_00)]
    assert not shop.guard.audit.list(kind="counted")
    assert shop.change(MONTH.replace("max: 100", "max: 110")).beginning is Beginning.KEPT


def test_a_changed_key_is_filled_under_the_new_one(world):
    shop = world(policy(MONTH))
    assert shop.ran("60.00", shop="A", who="c-1")
    assert shop.ran("30.00", shop="A", who="c-2")
    assert shop.ran("50.00", shop="B", who="c-2")
    opening = shop.change("{id: month, sum: amount, per: shop_id, in: 30 days, max: 100, over: deny}")
    assert (opening.beginning, numbers(opening)) == (Beginning.FILLED, (3, 0, 0, 0))
    assert not shop.ran("10.01", shop="A", who="c-3")
    assert shop.ran("10.00", shop="A", who="c-3")
    assert not shop.ran("50.01", shop="B", who="c-3")
    assert shop.sound() == (True, ())


def test_starts_now_begins_empty_and_is_kept_from_then_on(world):
    shop = world()
    assert shop.ran("100.00")
    shop.doubtful("50.00")
    opening = shop.change(MONTH.replace("over: deny", "over: deny, starts: now"))
    assert (opening.beginning, numbers(opening)) == (Beginning.STARTS_NOW, (0, 0, 0, 0))
    assert shop.ran("100.00")
    assert not shop.ran("0.01")
    assert shop.change(MONTH).beginning is Beginning.KEPT
    assert not shop.ran("0.01")
    assert shop.sound() == (True, ())


def test_each_currency_is_filled_apart(world):
    shop = world(policy(currency="[USD, EUR]"))
    assert shop.ran({"amount": "60.00", "currency": "USD"})
    assert shop.ran({"amount": "90.00", "currency": "EUR"})
    limit = "{id: month, sum: amount, in: 30 days, max: {USD: 100, EUR: 100}, over: deny}"
    opening = shop.change(limit, currency="[USD, EUR]")
    assert numbers(opening) == (2, 0, 0, 0)
    assert not shop.ran({"amount": "40.01", "currency": "USD"})
    assert shop.ran({"amount": "40.00", "currency": "USD"})
    assert not shop.ran({"amount": "10.01", "currency": "EUR"})
    assert shop.ran({"amount": "10.00", "currency": "EUR"})


def test_a_count_counts_actions(world):
    shop = world()
    assert shop.ran()
    assert shop.ran()
    shop.change("{id: three, count: actions, per: on_behalf_of, in: 30 days, max: 3, over: deny}")
    assert shop.ran()
    assert not shop.ran()


@pytest.mark.law(6)
def test_what_is_in_doubt_holds_on_the_new_account_until_somebody_knows(world):
    shop = world()
    lost, gone = shop.doubtful("60.00"), shop.doubtful("30.00")
    opening = shop.change(MONTH)
    assert numbers(opening) == (0, 2, 0, 0)
    assert not shop.ran("10.01")
    shop.guard.resolve(gone, done=False, by="ada", why="the bank says so")
    assert not shop.ran("40.01")
    assert shop.ran("10.00")
    assert shop.used() == {"spending/month": (60_00, 10_00)}
    shop.guard.resolve(lost, done=True, by="ada", why="the bank says so")
    assert shop.used() == {"spending/month": (0, 70_00)}
    assert shop.sound() == (True, ())


@pytest.mark.parametrize("limits", [NO_LIMITS, MONTH])
def test_what_it_really_came_to_is_settled_on_the_new_account_too(world, limits):
    shop = world(policy(limits))
    lost = shop.doubtful("60.00")
    shop.change("{id: shops, sum: amount, per: shop_id, in: 30 days, max: 100, over: deny}")
    real = {"amount": Money.of("20.00", "USD")}
    shop.guard.resolve(lost, done=True, by="ada", why="only a part", result=real)
    assert not shop.ran("80.01")
    assert shop.used() == {"spending/shops": (0, 20_00)}
    assert shop.sound() == (True, ())


def test_what_is_running_while_a_limit_comes_into_force_settles_on_it(world):
    shop = world(policy(MONTH))
    shop.real = {"amount": Money.of("20.00", "USD")}
    shop.meanwhile = lambda: shop.change("{id: shops, sum: amount, per: shop_id, in: 30 days, max: 100, over: deny}")
    assert shop.ran("60.00")
    shop.meanwhile = shop.real = None
    assert not shop.ran("80.01")
    assert shop.used() == {"spending/shops": (0, 20_00)}
    assert shop.sound() == (True, ())


@pytest.mark.parametrize("released_first", [True, False])
def test_what_was_given_back_and_was_done_after_all_is_posted_on_the_new_account(world, released_first):
    shop = world(policy(MONTH))
    lost = shop.doubtful("60.00")
    limit = "{id: shops, sum: amount, per: shop_id, in: 30 days, max: 100, over: deny}"
    if not released_first:
        shop.change(limit)
    shop.guard.resolve(lost, done=False, by="ada", why="the bank says so")
    if released_first:
        assert numbers(shop.change(limit)) == (0, 0, 0, 0)
    shop.guard.resolve(lost, done=True, by="ada", why="the bank was wrong")
    assert not shop.ran("40.01")
    assert shop.used() == {"spending/shops": (0, 60_00)}
    assert shop.sound() == (True, ())


@pytest.mark.parametrize(
    "limit",
    [
        "{id: shops, sum: amount, per: shop_id, in: 30 days, max: 100, when: amount > 70, over: deny}",
        "{id: shops, sum: amount, per: shop_id, in: 30 days, max: 100, over: deny, starts: now}",
    ],
)
def test_what_was_done_after_all_is_not_posted_on_a_limit_that_does_not_count_it(world, limit):
    shop = world()
    lost = shop.doubtful("60.00")
    shop.guard.resolve(lost, done=False, by="ada", why="the bank says so")
    shop.change(limit)
    shop.guard.resolve(lost, done=True, by="ada", why="the bank was wrong")
    assert shop.ran("100.00")
    assert shop.used() == {"spending/shops": (0, 100_00)}
    assert shop.sound() == (True, ())


def test_what_was_done_after_all_is_posted_once_on_an_account_that_knew_it_before(world):
    shop = world(policy(MONTH))
    lost = shop.doubtful("60.00")
    shop.guard.resolve(lost, done=False, by="ada", why="the bank says so")
    shop.activate(policy(version=2))
    shop.activate(policy(MONTH))
    shop.guard.resolve(lost, done=True, by="ada", why="the bank was wrong")
    assert shop.ran("40.00")
    assert shop.used() == {"spending/month": (0, 100_00)}
    assert shop.sound() == (True, ())


def test_an_erased_customer_is_posted_on_no_account_that_would_be_somebody_elses(world):
    shop = world()
    lost = shop.doubtful("60.00")
    shop.guard.resolve(lost, done=False, by="ada", why="the bank says so")
    shop.activate(policy(f"{MONTH}, {DAILY}", version=2))
    shop.guard._parts.vault.erase(shop.guard.audit.list(kind="decided")[0].document["on_behalf_of"])
    shop.guard.resolve(lost, done=True, by="ada", why="the bank was wrong")
    settled = shop.guard.audit.list(kind="settled")[0].document["settled"]
    assert list(settled.values()) == [60_00]
    assert not shop.ran("40.01", who="c-2")
    assert shop.used() == {"spending/month": (0, 0), "spending/daily": (0, 60_00)}


def test_what_was_sent_again_settles_on_the_new_account_and_is_found_by_the_next_limit(world):
    shop = world(effect=Idempotent(ttl=timedelta(days=30)))
    shop.doubtful("60.00")
    shop.change(MONTH)
    shop.real = {"amount": Money.of("20.00", "USD")}
    assert [type(answer) for answer in shop.guard.recover()] == [Done]
    shop.real = None
    assert not shop.ran("80.01")
    assert shop.used() == {"spending/month": (0, 20_00)}
    assert numbers(shop.change(DAILY)) == (1, 0, 0, 0)
    assert not shop.ran("80.01")
    assert shop.ran("80.00")
    assert shop.sound() == (True, ())


def test_what_is_allowed_and_not_begun_holds_on_a_limit_that_is_added(world):
    shop = world(policy(MONTH))
    ready = shop.ask("60.00", run=shop.guard.propose)
    assert isinstance(ready, Ready)
    shop.activate(policy(f"{MONTH}, {DAILY}", version=2))
    assert not shop.ran("40.01", who="c-2")
    assert isinstance(shop.guard.execute(ready.decision_id), Done)
    assert shop.used() == {"spending/month": (0, 60_00), "spending/daily": (0, 60_00)}
    assert shop.sound() == (True, ())


def test_an_action_that_really_came_to_another_amount_is_counted_at_that_one(world):
    shop = world()
    shop.real = {"amount": Money.of("25.00", "USD"), "note": "at the door"}
    assert shop.ran("60.00")
    shop.real = None
    shop.change(MONTH.replace("sum:", 'when: has(note) and note == "at the door", sum:'))
    assert not shop.ran("75.01", note="at the door")
    assert shop.ran("75.00", note="at the door")
    settled = shop.guard.audit.list(kind="settled")[0]
    assert settled.document["real_values"]["amount"] == "25.00 USD"
    assert set(settled.document["real_values"]["note"]) == {"sealed"}
    assert b"at the door" not in settled.body
    assert shop.sound() == (True, ())


def test_what_was_not_recorded_then_is_reported_and_not_guessed(world):
    shop = world()
    assert shop.ran("60.00")
    shop.doubtful("30.00")
    opening = shop.change("{id: regions, sum: amount, per: shop.region, in: 30 days, max: 100, over: deny}")
    assert (opening.beginning, numbers(opening)) == (Beginning.FILLED, (0, 0, 2, 0))
    assert shop.guard.audit.show(2).kind == "decided"
    assert shop.ran("100.00")
    said = shop.guard.audit.list(kind="activated", newest_first=True)[0].document["limits"]
    assert said["spending/regions"] == {
        "identity": opening.identity,
        "account": "filled",
        "movements": 0,
        "holds": 0,
        "uncounted": 2,
        "erased": 0,
    }
    assert shop.sound() == (True, ())


def test_context_that_was_not_declared_then_does_not_count_as_absent(world):
    shop = world()
    assert shop.ran("60.00", context={"channel": "mail"})
    limit = DAILY.replace("sum:", "when: %s, sum:")
    asked = shop.change(limit % '"has(context.desk) and context.desk == 4"', context="desk: integer?")
    assert numbers(asked) == (0, 0, 1, 0)
    told = shop.change(limit % "\"has(context.channel) and context.channel == 'mail'\"", context="channel: text?")
    assert numbers(told) == (1, 0, 0, 0)
    language = shop.change(limit % "not has(context.language)", context="language: text?")
    assert numbers(language) == (1, 0, 0, 0)


def test_what_a_limit_does_not_count_is_not_reported_as_uncountable(world):
    shop = world()
    assert shop.ran("60.00")
    assert shop.ran("5.00")
    assert numbers(shop.change(DAILY.replace("sum:", "when: amount > 5, sum:"))) == (1, 0, 0, 0)


def test_a_value_that_does_not_fit_its_type_of_now_is_not_guessed(world):
    shop = world()
    assert shop.ran("60.00")
    opening = shop.change("{id: eur, sum: amount, in: 1 days, max: 100, over: deny}", currency="EUR")
    assert numbers(opening) == (0, 0, 1, 0)


def test_an_argument_that_the_policy_fills_in_counts_as_it_was_then(world):
    when = "shop.budget > 5"
    shop = world(policy(amount="'money, computed as full'", when=when))

    def charge(amount=None):
        return shop.guard.run(
            "card.charge", {"shop_id": "A"}, agent="bot", on_behalf_of="c-1", key=f"k{next(shop.count)}"
        )

    assert isinstance(charge(), Done)
    limit = "{id: all, sum: amount, in: 1 days, max: 1200, over: deny}"
    assert numbers(
        shop.change(
            limit, amount="'money, computed as part'", when=when, part="rounded(percent(shop.budget, 1), 'half_up')"
        )
    ) == (1, 0, 0, 0)
    assert isinstance(charge(), Done)
    assert shop.used() == {"spending/all": (0, 1010_00)}


def test_what_a_filled_in_argument_really_came_to_counts_instead(world):
    shop = world(policy(amount="'money, computed as full'"))
    shop.real = {"amount": Money.of("400.00", "USD")}
    answer = shop.guard.run("card.charge", {"shop_id": "A"}, agent="bot", on_behalf_of="c-1", key="k")
    assert isinstance(answer, Done)
    limit = "{id: all, sum: amount, in: 1 days, max: 1400, over: deny}"
    assert numbers(shop.change(limit, amount="'money, computed as full'")) == (1, 0, 0, 0)
    assert isinstance(shop.guard.run("card.charge", {"shop_id": "A"}, agent="bot", on_behalf_of="c-1", key="k2"), Done)
    assert shop.used() == {"spending/all": (0, 800_00)}


@pytest.mark.parametrize("declared", ["text", "'text, personal'"])
def test_a_conversation_is_filled_unless_it_was_erased(world, declared):
    shop = world(policy(context=f"conversation: {declared}"))
    assert shop.ran("60.00", context={"conversation": "one"})
    assert shop.ran("60.00", context={"conversation": "two"}, who="c-2")
    shop.guard._parts.vault.erase(shop.guard.audit.list(kind="decided")[0].document["on_behalf_of"])
    limit = "{id: talk, sum: amount, in: conversation, max: 100, over: deny}"
    opening = shop.change(limit, context=f"conversation: {declared}")
    assert numbers(opening) == ((2, 0, 0, 0) if declared == "text" else (1, 0, 1, 1))
    assert not shop.ran("40.01", context={"conversation": "two"})
    assert shop.ran("40.00", context={"conversation": "two"})


def test_limits_that_share_an_account_fill_it_once(world):
    shop = world()
    assert shop.ran("60.00")
    shop.doubtful("10.00")
    twice = f"{BY_CUSTOMER % ('first', '30 days', '100')}, {BY_CUSTOMER % ('second', '1 days', '90')}"
    found = shop.activate(policy(twice, version=2))
    assert [numbers(opening) for opening in found.limits] == [(1, 1, 0, 0)] * 2
    assert not shop.ran("20.01")
    assert shop.ran("20.00")
    assert shop.used() == {"spending/first": (10_00, 80_00), "spending/second": (10_00, 80_00)}


def test_one_of_two_that_share_an_account_and_does_not_start_now_is_enough_to_fill_it(world):
    shop = world()
    assert shop.ran("60.00")
    starts = (BY_CUSTOMER % ("first", "30 days", "100")).replace("over: deny", "over: deny, starts: now")
    found = shop.activate(policy(f"{starts}, {BY_CUSTOMER % ('second', '1 days', '90')}", version=2))
    assert [opening.beginning for opening in found.limits] == [Beginning.FILLED] * 2
    assert not shop.ran("30.01")


def test_a_limit_that_comes_back_counts_what_was_done_while_it_was_away(world):
    first = policy(MONTH)
    shop = world(first)
    assert shop.ran("10.00")
    begun_before = shop.doubtful("20.00")
    shop.clock.advance(DAY)
    shop.activate(policy(DAILY, version=2))
    assert shop.ran("30.00")
    shop.clock.advance(DAY)
    shop.guard.resolve(begun_before, done=True, by="ada", why="found")  # on the old account, later than the 30
    begun_between = shop.doubtful("5.00")
    back = shop.activate(first).limits[0]
    assert (back.beginning, numbers(back)) == (Beginning.FILLED, (1, 1, 0, 0))
    assert not shop.ran("35.01")
    assert shop.used() == {"spending/month": (5_00, 60_00)}
    shop.guard.resolve(begun_between, done=True, by="ada", why="found")
    assert shop.used() == {"spending/month": (0, 65_00)}
    assert not shop.activate(first)
    assert shop.sound() == (True, ())


def test_what_a_shadow_file_only_watched_is_filled_when_it_is_enforced(world):
    shop = world(OTHERS, policy(DAILY, mode="shadow"))
    assert shop.ran("60.00")
    found = shop.activate(OTHERS, policy(DAILY, version=2))
    assert [(item.limit, numbers(item)) for item in found.limits] == [("spending/daily", (1, 0, 0, 0))]
    assert not shop.ran("40.01")
    assert shop.ran("40.00")


def test_what_was_erased_is_counted_as_erased_and_the_rest_is_still_filled(world):
    shop = world()
    assert shop.ran("60.00", who="c-1")
    assert shop.ran("20.00", who="c-2")
    erased = shop.guard.audit.list(kind="decided")[0].document["on_behalf_of"]
    shop.guard._parts.vault.erase(erased)
    found = shop.activate(policy(f"{MONTH}, {DAILY}", version=2))
    assert [numbers(opening) for opening in found.limits] == [(1, 0, 1, 1), (2, 0, 0, 0)]
    assert shop.ran("20.00", who="c-1")
    assert not shop.ran("0.01", who="c-3")


def test_the_first_policies_find_nothing_to_fill(world):
    shop = world(policy(MONTH))
    shop.guard.start()
    entry = shop.guard.audit.list(kind="activated")[0].document["limits"]["spending/month"]
    assert (entry["account"], entry["movements"], entry["uncounted"]) == ("filled", 0, 0)


def test_nothing_is_put_into_force_with_another_keys_file(world):
    shop = world()
    assert shop.ran("60.00")
    before = shop.guard.store.read(lambda r: (r.digest_in_force(), r.position()))
    with pytest.raises(StoreUnavailableError, match="keys file"):
        shop.activate(policy(MONTH, version=2), vault=Vault.open(None, lambda size: b"x" * size))
    assert shop.guard.store.read(lambda r: (r.digest_in_force(), r.position())) == before


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_long_log_is_read_a_page_at_a_time(world, monkeypatch, page):
    monkeypatch.setattr(filling, "PAGE", page)
    shop = world()
    for number in range(5):
        assert shop.ran("10.00", who=f"c-{number % 2}")
    shop.doubtful("1.00"), shop.doubtful("2.00")
    opening = shop.change(DAILY)
    assert numbers(opening) == (5, 2, 0, 0)
    assert not shop.ran("47.01")
    assert shop.ran("47.00")
    assert shop.sound() == (True, ())


@pytest.mark.law(5)
def test_every_movement_that_was_filled_in_stands_in_an_entry(world):
    shop = world()
    done = shop.ask("60.00")
    lost = shop.doubtful("30.00")
    shop.change(MONTH)
    entries = [shop.guard.audit.of(name)[-1] for name in (done.decision_id, lost)]
    assert [entry.kind for entry in entries] == ["counted", "counted"]
    posted, held = entries[0].document["posted"][0], entries[1].document["held"][0]
    assert (posted["limit"], posted["amount"], held["amount"]) == ("spending/month", 60_00, 30_00)
    account = shop.guard.store.read(lambda r: r.account(posted["account"]))
    assert (account.id, account.held, account.settled) == (held["account"], 30_00, 60_00)
