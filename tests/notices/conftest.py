"""The shops whose guard does by itself what is due, and a receiver of webhooks on a real socket."""

import pytest

from tests.notices.receiver import Receiver
from tests.worker.conftest import open_both, open_shop

__all__ = ["open_both", "open_shop"]


@pytest.fixture
def receiver():
    with Receiver.start() as started:
        yield started
