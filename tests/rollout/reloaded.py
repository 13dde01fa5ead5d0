"""A guard of a folder whose files change, and processes that act or are killed while policies change."""

import itertools
import os
import signal
import threading
import time

from agentguard import Guard, Money
from agentguard.core.people import People
from agentguard.engine.activation import activate
from tests.engine.given import bundle, shop

VISITS = """agentguard: 1
policy: visits
version: {version}
owner: visits@acme.example
timezone: Europe/Berlin
currency: EUR
actions:
  visit.book: {{deposit: money}}
rules:
  - id: small
    then: allow
    when: deposit <= {most}
  - id: large
    then: deny
    when: deposit > {most}
limits:
  - {{id: day, sum: deposit, in: calendar day, max: {day}, over: deny}}
"""
CASES = """test: visits
cases:
  - name: the largest that is booked without a person
    do: visit.book
    with: {{deposit: {most}}}
    expect: allow
    by: [small]
"""


def text(version=1, most="50.00", day=1000):
    return VISITS.format(version=version, most=most, day=day)


def save(path, words):
    """Save a file as editors do: written beside it, then put in its place."""
    beside = path.with_suffix(".tmp")
    beside.write_text(words, encoding="utf-8")
    beside.replace(path)


def visits(folder, address, **options):
    """Return a guard of a folder, with a tool that does nothing else than to return its deposit."""
    guard = Guard(folder, store=address, **{"activate": True, "people": People(users={}, groups={}), **options})

    @guard.action("visit.book")
    def book(deposit) -> str:
        return str(deposit)

    return guard


def book(guard, deposit, key, run=None):
    asked = {"agent": "bot", "on_behalf_of": "c-1", "key": key}
    return (run or guard.run)("visit.book", {"deposit": deposit}, **asked)


def in_force(guard):
    """Return the versions in force, by policy."""
    found = guard.audit.list(kind="activated", limit=1000)[-1]
    return {name: item["version"] for name, item in found.document["policies"].items()}


def act(address, texts, name, began, count):
    """Refund as one process of several, with two threads, while somebody else changes the policies."""
    made = shop(address, text=texts[0], clock="machine", people=People(users={}, groups={}))
    made.orders = {
        f"{name}-{n}": {"customer_id": f"c-{name}-{n}", "total": Money.of("100", "USD")} for n in range(count)
    }
    numbers, lock, answers = iter(range(count)), threading.Lock(), []

    def go():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            order = f"{name}-{number}"
            answers.append(made.ask("60.00", key=order, order_id=order, who=f"c-{order}").status)

    made.guard.start()
    began.wait(60)
    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    assert set(answers) <= {"done", "denied"}, answers
    made.guard.close()


def change(guard, texts, times, pause):
    """Put texts into force, one after the other, so many times."""
    for words in itertools.islice(itertools.cycle(texts), times):
        activate(guard._parts, bundle(words), "default", by="ada", why="changed in the midst of it")
        time.sleep(pause)


def reload_until_killed(address, folder, told):
    """Put whatever is in a folder into force until the process is killed in the midst of it."""
    guard = visits(folder, address, reload=True)
    guard.start()
    told.set()
    threading.Event().wait(60)


def die_in_commit(address, folder, moment):
    """Be killed right before, or right after, changed files are committed as what is in force."""
    guard = visits(folder, address, reload=True)
    guard.reloading.begin = lambda: None
    guard.start()
    committed = guard.store.transact

    def transact(work):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        committed(work)
        os.kill(os.getpid(), signal.SIGKILL)

    guard.store.transact = transact
    save(folder / "visits.yaml", text(2, "10.00"))
    while True:
        guard.reloading.look()
        time.sleep(0.05)
