"""The engine's shop on both engines, whose customers say yes."""

import pytest

from tests.engine.given import REFUNDS, shop

CONFIRMED = (
    REFUNDS
    + """
requires:
  - {id: said-yes, on: [refund.issue], confirmed: this request, within: 10 minutes, else: deny}
"""
)


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        opened.append(shop(options.pop("store", address), text=options.pop("text", CONFIRMED), **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()
