"""One of several processes that race for one budget."""

import asyncio

from tests.races.given import TRIES, Vouchers, counted

TASKS = 16


async def race(vouchers, tenant, first):
    async def work(caller):
        return [await vouchers.atry_it(tenant, first + caller * TRIES + number) for number in range(TRIES)]

    found = await asyncio.gather(*(work(caller) for caller in range(TASKS)))
    return [answer for answers in found for answer in answers]


def racing(address, first, starter):
    """Race for each tenant that the starter names, until it names none, and tell it what was answered."""
    vouchers = Vouchers(address, is_async=True)
    starter.send("ready")
    while tenant := starter.recv():
        starter.send(counted(asyncio.run(race(vouchers, tenant, first))))
    vouchers.guard.close()
