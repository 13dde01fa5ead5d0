"""Shops whose guard does by itself what is due: on a file, or, where the store has a part in it, on both engines."""

from dataclasses import replace

import pytest

from agentguard.engine.parts import Waits
from tests.engine.given import shop


@pytest.fixture
def open_shop(tmp_path, closed_stores):
    opened = []

    def open_one(**options):
        # What a start does beside the first action would be a second one who works.
        waits = replace(options.pop("waits", Waits()), recovery=None)
        opened.append(shop(options.pop("store", f"sqlite:///{tmp_path / 'guard.db'}"), waits=waits, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def open_both(address, open_shop):
    return lambda **options: open_shop(**{"store": address, **options})
