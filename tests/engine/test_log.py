"""Where lines of the operational log go: nowhere near what a program prints."""

import sys

import pytest
import structlog

from agentguard import log
from agentguard.log import get_logger

LOG = get_logger("test")


@pytest.fixture
def unconfigured(monkeypatch):
    monkeypatch.setattr(log, "_left_out", set())
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_a_program_that_configures_nothing_finds_lines_on_standard_error(unconfigured, capsys):
    LOG.warning("tool.failed", action="refund.issue")
    said = capsys.readouterr()
    assert said.out == ""
    assert "[warning  ] tool.failed " in said.err
    assert said.err.endswith("action=refund.issue part=test\n")
    assert not structlog.is_configured()


def test_what_a_program_configures_at_any_time_is_what_counts(unconfigured, capsys):
    LOG.info("guard.recovered", count=1)
    assert "guard.recovered" in capsys.readouterr().err
    structlog.configure([structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stdout))
    LOG.info("guard.recovered", count=2)
    assert capsys.readouterr() == ('{"part": "test", "count": 2, "event": "guard.recovered"}\n', "")


def test_a_process_that_says_it_in_words_of_its_own_leaves_an_event_out(unconfigured, capsys):
    log.leave_out("limit.over")
    LOG.warning("limit.over", limits=["refunds/month"])
    LOG.error("action.not_given_back")
    assert [line.split()[4] for line in capsys.readouterr().err.splitlines()] == ["action.not_given_back"]
