"""Random well-typed conditions and the environments they are evaluated in, from a seed."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agentguard.core import language
from agentguard.core.calendar import Calendar, Hours
from agentguard.core.language import Declared, Scope, check, check_names, parse, parse_table
from agentguard.core.money import Money
from agentguard.errors import LanguageError

USD = language.Money(("USD",))
SIGNED = language.Money(("USD",), any_sign=True)
EITHER = language.Money(("EUR", "USD"), any_sign=True)
TIERS = ("standard", "silver", "gold")
ITEM = language.Record(
    "item",
    {
        "sku": Declared(language.Text()),
        "price": Declared(USD),
        "quantity": Declared(language.Integer()),
        "final_sale": Declared(language.YesNo()),
        "note": Declared(language.Text(), optional=True),
        "sold_at": Declared(language.Time(), optional=True),
    },
)
VALUES = {
    "amount": Declared(USD),
    "order.total": Declared(SIGNED),
    "order.tip": Declared(USD, optional=True),
    "fee": Declared(EITHER),
    "other_fee": Declared(EITHER, optional=True),
    "count": Declared(language.Integer()),
    "score": Declared(language.Integer(), optional=True),
    "rate": Declared(language.Decimal_()),
    "weight": Declared(language.Decimal_(), optional=True),
    "name": Declared(language.Text()),
    "note": Declared(language.Text(), optional=True),
    "tier": Declared(language.OneOf(TIERS)),
    "flag": Declared(language.YesNo()),
    "consent": Declared(language.YesNo(), optional=True),
    "now": Declared(language.Time()),
    "sent_at": Declared(language.Time(), optional=True),
    "born": Declared(language.Date()),
    "notice": Declared(language.Duration()),
    "items": Declared(language.ListOf(ITEM)),
    "tags": Declared(language.ListOf(language.Text())),
    "numbers": Declared(language.ListOf(language.Integer())),
    "amounts": Declared(language.ListOf(USD), optional=True),
    "address": Declared(language.Record("address", {"city": Declared(language.Text(), optional=True)}), optional=True),
}
LIMITS = {"month": ("shop/month", SIGNED), "calls": ("shop/calls", language.Integer())}
HOURS = Calendar(week=((Hours(time(8), time(18)),),) * 5 + ((), ()))
SCOPE = Scope(
    values=VALUES,
    tables={
        "caps": parse_table("caps", {"standard": "20", "silver": "30.50", "gold": "100"}),
        "bags": parse_table("bags", {tier: {"yes": "1", "no": "2"} for tier in TIERS}),
        "cities": parse_table("cities", {"Berlin": "east", "Bonn": "west"}),
    },
    calendars={"hours": HOURS, "standard": Calendar(), "silver": HOURS, "gold": HOURS},
    limits=LIMITS,
    zone=ZoneInfo("Europe/Berlin"),
    currencies=("USD",),
)
NAMES = {
    "in_time": "has(sent_at) and now - sent_at <= 30 days",
    "left": 'order.total - amount - held("month")',
    "cap": "50",
    "any_final": "items.exists(i, i.final_sale)",
    "guards": "has(score) and (has(weight) or flag) and not (not has(note) or flag)",
    "excuses": "not has(score) or (not has(weight) and flag)",
}


def scope_with_names():
    names, errors = check_names({name: (parse(text), text) for name, text in NAMES.items()}, SCOPE)
    assert errors == {}
    return Scope(
        values=SCOPE.values,
        names=names,
        tables=SCOPE.tables,
        calendars=SCOPE.calendars,
        limits=SCOPE.limits,
        zone=SCOPE.zone,
        currencies=SCOPE.currencies,
    )


class Writer:
    """Writes random conditions as text; optional values are read with and without `has`, as people do."""

    def __init__(self, random):
        self.random = random
        self.items = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def fill(self, depth, *templates):
        """Choose a template and write something of its kind for each `<kind>`; `<kind0>` is a simple one."""
        written = self.random.choice(templates)
        return re.sub(r"<([a-z]+)(0?)>", lambda found: self.write(found[1], 0 if found[2] else depth), written)

    def write(self, kind, depth):
        options = getattr(self, kind)
        return options(max(depth, 0))

    def condition(self, depth):
        if depth == 0:
            return self.pick(
                "flag", "yes", "no", "in_time", "any_final", "has(score)", "has(note)", "has(address)", "flag"
            )
        form = self.random.randrange(22)
        deeper = depth - 1
        if form < 4:
            return "(" + " and ".join(self.condition(deeper) for _ in range(self.pick(2, 2, 3))) + ")"
        if form < 7:
            return "(" + " or ".join(self.condition(deeper) for _ in range(self.pick(2, 2, 3))) + ")"
        if form < 9:
            return self.fill(deeper, "(not <condition>)")
        if form < 10:
            return self.guarded(deeper)
        if form < 12:
            return self.compare("number", deeper)
        if form < 14:
            return self.compare("money", deeper)
        if form < 15:
            return self.compare("duration", deeper)
        if form < 16:
            return self.compare(self.pick("time", "day"), deeper)
        if form < 17:
            return self.equal(deeper)
        if form < 18:
            return self.fill(deeper, f"<text>.{self.pick('startsWith', 'endsWith', 'contains')}(<text>)")
        if form < 19:
            return self.member(deeper)
        if form < 20:
            return self.fill(deeper, f"during(<time>, {self.pick(chr(34) + 'hours' + chr(34), 'tier')})")
        return self.quantified(deeper)

    def guarded(self, depth):
        path, kind = self.pick(
            ("score", "number"), ("weight", "number"), ("order.tip", "money"), ("note", "text"), ("sent_at", "time")
        )
        operator = "==" if kind == "text" else self.pick("<", "<=", ">=")
        test = f"{path} {operator} {self.write(kind, depth)}"
        return self.fill(
            depth,
            f"(has({path}) and {test})",
            f"({test} and has({path}))",
            f"(not has({path}) or {test})",
            f"((has({path}) or <condition0>) and {test})",
            f"((has({path}) and <condition0>) and {test})",
            f"(not (has({path}) and <condition0>) or {test})",
            f"(not (has({path}) or <condition0>) or {test})",
            f"(not (not has({path}) or <condition0>) and {test})",
            f"(not (not has({path}) and <condition0>) and {test})",
            f"(guards and {test})",
            f"(not guards or {test})",
            f"(not excuses or {test})",
        )

    def compare(self, kind, depth):
        operator = self.pick("==", "!=", "<", "<=", ">", ">=")
        return f"{self.write(kind, depth)} {operator} {self.write(kind, depth)}"

    def equal(self, depth):
        return self.fill(
            depth,
            f"<text> {self.pick('==', '!=')} <text>",
            f'tier {self.pick("==", "!=")} "{self.pick(*TIERS)}"',
            "(<condition>) == (<condition>)",
            f"fee {self.pick('<', '==')} fee",
            "has(other_fee) and fee <= other_fee",
            f'currency(fee) == "{self.pick("EUR", "USD")}"',
            "has(address) and has(address.city)",
            'has(address) and has(address.city) and address.city == "Bonn"',
            'has(address) and has(address.city) and cities[address.city] == "west"',
        )

    def member(self, depth):
        return self.fill(
            depth,
            'tier in ["gold", "silver"]',
            '<text> in ["a", "ab", <text>]',
            "<text> in tags",
            "<number> in [1, 2, <number>]",
            "<number> in numbers",
            "<money> in [10, <money>]",
            "has(amounts) and <money> in amounts",
            "not name in cities",
        )

    def quantified(self, depth):
        macro = self.pick("all", "exists")
        variable = f"i{len(self.items)}"
        if self.random.random() < 0.3:
            self.items.append((variable, "number"))
            body = f"{variable} {self.pick('<', '==', '>')} <number>"
            self.items.pop()
            return f"numbers.{macro}({variable}, {body})"
        self.items.append((variable, "item"))
        body = self.fill(
            depth,
            f"{variable}.final_sale",
            f"{variable}.price {self.pick('<', '>=')} <money>",
            f"{variable}.quantity > <number>",
            f"has({variable}.note) and {variable}.note == <text>",
            f"not has({variable}.sold_at) or {variable}.sold_at < <time>",
            "<condition>",
        )
        self.items.pop()
        return f"items.{macro}({variable}, {body})"

    def inner(self, kind):
        return [name for name, what in self.items if what == kind]

    def number(self, depth):
        simple = ["count", "rate", "1", "0", "2.5", "-3", "1000000", *self.inner("number")]
        simple += [f"{name}.quantity" for name in self.inner("item")]
        if depth == 0:
            return self.pick(*simple)
        deeper = depth - 1
        return self.fill(
            deeper,
            *simple,
            f"(<number> {self.pick('+', '-', '*')} <number>)",
            "-(<number>)",
            f"size({self.pick('items', 'tags', 'name')})",
            f"size(items.filter(f{depth}, f{depth}.price > <money0>))",
            f"sum(items.map(m{depth}, m{depth}.quantity * <number0>))",
            "sum(numbers) + <number>",
            f"{self.pick('min', 'max')}(<number>, <number>)",
            f"{self.pick('min', 'max')}(numbers)",
            "percent(<number>, <number>)",
            f'rounded(<number>, "{self.pick("half_up", "half_even", "up", "down")}")',
            'used("calls")',
            "bags[tier][flag]",
        )

    def money(self, depth):
        simple = ["amount", "order.total", "usd(12.34)", "usd(0)", *(f"{name}.price" for name in self.inner("item"))]
        if depth == 0:
            return self.pick(*simple)
        deeper = depth - 1
        return self.fill(
            deeper,
            *simple,
            "left",
            "usd(50)",
            'used("month")',
            f"(<money> {self.pick('+', '-')} {self.pick('5', 'cap', 'caps[tier]', '<money>')})",
            "<money> * <number>",
            "-(<money>)",
            "percent(<money>, <number0>)",
            f'rounded(<money>, "{self.pick("half_up", "half_even", "up", "down")}")',
            f"sum(items.map(p{depth}, p{depth}.price * {self.pick('1', '2', 'count')}))",
            f"{self.pick('min', 'max')}(<money>, {self.pick('10', '<money>')}, amount)",
            f"{self.pick('min', 'max')}(items.map(q{depth}, q{depth}.price))",
            "sum(items.filter(r, r.final_sale).map(r, r.price))",
        )

    def text(self, depth):
        return self.pick(
            "name", "tier", '"a"', '"gold"', '""', '"x\\"y"', *(f"{name}.sku" for name in self.inner("item"))
        )

    def time(self, depth):
        if depth == 0:
            return "now"
        return self.fill(depth - 1, "now", 'time("2026-11-20T10:00:00+01:00")', "now - <duration>", "now + <duration>")

    def day(self, depth):
        return self.pick(
            "born", "day_of(now)", 'date("2026-11-20")', f"born + {self.pick('2 days', 'notice', 'days(count)')}"
        )

    def duration(self, depth):
        simple = ["notice", "30 days", "1 hour", "90 minutes"]
        if depth == 0:
            return self.pick(*simple)
        deeper = depth - 1
        return self.fill(
            deeper,
            *simple,
            f"(<duration> {self.pick('+', '-')} <duration>)",
            f"(now - {self.pick('now', '<time>')})",
            "(born - <day0>)",
            "days(count)",
            "(<duration> * 3)",
            "-(<duration>)",
            "max(<duration>, <duration>)",
        )


def expressions(random, scope, kinds, wanted):
    """Yield that many checked expressions; what the checker refuses is thrown away."""
    writer = Writer(random)
    made = 0
    while made < wanted:
        text = writer.write(kinds[made % len(kinds)], random.choice((1, 2, 3, 4, 5)))
        try:
            expression = check(parse(text), scope, text)
        except LanguageError:
            continue
        made += 1
        yield expression


def _usd(random):
    return Money(random.choice((1, 1000, 1234, 5000, 5001, random.randrange(1, 10**6))), "USD")


def _item(random):
    item = {
        "sku": random.choice(("a", "ab", "gold", "")),
        "price": _usd(random),
        "quantity": random.choice((0, 1, 2, -5, 10**17)),
        "final_sale": random.random() < 0.3,
    }
    if random.random() < 0.5:
        item["note"] = random.choice(("a", "gold", ""))
    if random.random() < 0.5:
        item["sold_at"] = _instant(random)
    return item


def _instant(random):
    return datetime(2026, 11, random.randrange(1, 29), random.randrange(24), random.choice((0, 30)), tzinfo=UTC)


def environment(random):
    """Return a well-typed environment; optional values are often missing, others at times, and some lookups failed."""
    signed = random.choice((0, -100, 1234, 10_000, 10**19))
    values = {
        "amount": _usd(random),
        "order.total": Money(signed, "USD"),
        "order.tip": _usd(random),
        "fee": Money(random.randrange(-5, 5000), random.choice(("EUR", "USD"))),
        "other_fee": Money(random.randrange(-5, 5000), random.choice(("EUR", "USD"))),
        "count": random.choice((0, 1, 2, 3, -7, 10**18 - 1)),
        "score": random.randrange(-2, 5),
        "rate": random.choice((Decimal(1), Decimal("0.1"), Decimal("-2.500"), Decimal("123456789.123456789"))),
        "weight": Decimal(random.randrange(-30, 30)) / 10,
        "name": random.choice(("a", "ab", "gold", "", "Bonn", 'x"y', "é")),
        "note": random.choice(("a", "gold")),
        "tier": random.choice(TIERS),
        "flag": random.random() < 0.5,
        "consent": random.random() < 0.5,
        "now": _instant(random),
        "sent_at": _instant(random),
        "born": date(1990, 1, 1) + timedelta(days=random.randrange(13_500)),
        "notice": timedelta(hours=random.choice((0, 1, 24, 48, -24, 10**6))),
        "items": tuple(_item(random) for _ in range(random.choice((0, 1, 2, 3)))),
        "tags": tuple(random.choice(("a", "ab", "b")) for _ in range(random.randrange(3))),
        "numbers": tuple(random.randrange(-2, 4) for _ in range(random.randrange(4))),
        "amounts": tuple(_usd(random) for _ in range(random.randrange(3))),
        "address": {"city": random.choice(("Bonn", "Rome"))} if random.random() < 0.7 else {},
        "used:shop/month": Money(random.randrange(0, 10**6), "USD"),
        "held:shop/month": Money(random.randrange(0, 10**4), "USD"),
        "used:shop/calls": random.randrange(10),
    }
    for name, declared in VALUES.items():
        if random.random() < (0.4 if declared.optional else 0.02):
            del values[name]
        elif random.random() < 0.02:
            values[name] = language.UNKNOWN
    return values
