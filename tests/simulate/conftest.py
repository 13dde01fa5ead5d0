"""A shop whose record is replayed, on a real database of both engines."""

import pytest

from tests.simulate.past import busy_shop


@pytest.fixture
def shop(address):
    made = busy_shop(address)
    yield made
    made.guard.close()
