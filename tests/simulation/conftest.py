"""How many histories are told, and from which seed on."""

import pytest

IN_THE_SUITE = 30


def pytest_addoption(parser):
    """Let `pytest tests/simulation --seeds 2000` tell more histories than the suite does."""
    group = parser.getgroup("simulation")
    group.addoption("--seeds", type=int, default=IN_THE_SUITE, help="how many simulated histories are told")
    group.addoption("--first-seed", type=int, default=0, help="the seed of the first one")


@pytest.fixture(scope="session")
def seeds(request):
    # A run of the whole suite finds this folder too late to have its options.
    first = request.config.getoption("first_seed", 0)
    return range(first, first + request.config.getoption("seeds", IN_THE_SUITE))
