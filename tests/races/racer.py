"""One of several processes that race for one budget: run with a database and a number; a line names the tenant."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.races.given import TRIES, Vouchers, counted

TASKS = 16


async def race(vouchers, tenant, first):
    async def work(caller):
        return [await vouchers.atry_it(tenant, first + caller * TRIES + number) for number in range(TRIES)]

    found = await asyncio.gather(*(work(caller) for caller in range(TASKS)))
    return [answer for answers in found for answer in answers]


def main():
    vouchers = Vouchers(sys.argv[1], is_async=True)
    print("ready", flush=True)
    for line in sys.stdin:
        answers = asyncio.run(race(vouchers, line.strip(), int(sys.argv[2])))
        print(json.dumps(counted(answers)), flush=True)
    vouchers.guard.close()


if __name__ == "__main__":
    main()
