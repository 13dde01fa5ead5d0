"""What every test shares: how hypothesis looks for examples, and how the tests of one law are found."""

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


def pytest_collection_modifyitems(items):
    """Let `-k law_04` find every test that is marked with `@pytest.mark.law(4)`."""
    for item in items:
        for mark in item.iter_markers("law"):
            item.extra_keyword_matches.update(f"law_{number:02}" for number in mark.args)
