"""Shops whose actions wait: on a file, or, where the store has a part in it, on a database of both engines."""

import pytest

from tests.engine.given import shop


@pytest.fixture
def open_shop(tmp_path, closed_stores):
    opened = []

    def open_one(**options):
        opened.append(shop(options.pop("store", f"sqlite:///{tmp_path / 'guard.db'}"), **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def open_both(address, open_shop):
    return lambda **options: open_shop(**{"store": address, **options})
