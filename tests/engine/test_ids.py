"""Ids: sorted by time, and never the same twice, in threads and in forked processes either."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from agentguard.engine.machine import new_id

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_ids_of_many_threads_are_all_different_and_as_long():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_id("act", NOW), range(5_000)))
    assert len(set(ids)) == 5_000
    assert {len(one) for one in ids} == {len("act_") + 12 + 20}


def test_ids_sort_by_time():
    ids = [new_id("act", NOW + timedelta(milliseconds=number)) for number in range(100)]
    assert ids == sorted(ids)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_gives_other_ids_than_its_parent():
    new_id("act", NOW)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id("act", NOW).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() != new_id("act", NOW)
    os.close(reading)
    os.close(writing)
