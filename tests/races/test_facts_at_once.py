"""Actions of one agent at once: what they share with each other makes nobody's facts stale."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from agentguard import Done
from tests.engine.given import REFUNDS, shop

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

OF_ONE_AGENT = REFUNDS.replace("per: on_behalf_of", "per: agent.id").replace("max: 300", "max: 10000")


@pytest.mark.law(4)
def test_a_limit_per_agent_makes_no_facts_stale_however_many_of_its_actions_run_at_once(tmp_path):
    one_agent = shop(f"sqlite:///{tmp_path / 'shop.db'}", text=OF_ONE_AGENT)
    one_agent.guard.start()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: one_agent.ask("1", key=f"k-{n}", order_id=f"A-{n}"), range(64)))
    assert {type(answer) for answer in answers} == {Done}
