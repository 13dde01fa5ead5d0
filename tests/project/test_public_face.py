"""What `import agentguard` gives and costs."""

import ast
import inspect
import json
import subprocess
import sys
import typing
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

import pytest

import agentguard
from tests.project.tree import parsed

HEAVY = ["openai", "httpx2", "fastapi", "starlette", "uvicorn", "jinja2", "typer", "z3", "alembic", "psycopg"]
LATER = ["sqlalchemy", "pydantic", "cryptography", "ruamel", "structlog", "tenacity"]
"""What is loaded with the first name that needs it."""


@cache
def fresh():
    """Return what a process of its own finds after `import agentguard` and nothing else."""
    code = f"""
import sys, agentguard
later = [name for name in {LATER} if name in sys.modules]
from agentguard import *
heavy = [name for name in {HEAVY} if name in sys.modules]
import json, logging, structlog, types
public = [n for n, v in vars(agentguard).items() if n[0] != "_" and not isinstance(v, types.ModuleType)]
logs = [structlog.is_configured(), len(logging.getLogger().handlers)]
print(json.dumps({{"heavy": heavy, "later": later, "public": public, "logs": logs}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_the_public_names_are_chosen_by_hand_sorted_and_all_there():
    assert list(agentguard.__all__) == sorted(set(agentguard.__all__))
    for name in agentguard.__all__:
        assert getattr(agentguard, name) is not None


def test_nothing_public_is_left_out_of_all():
    assert set(fresh()["public"]) - {"annotations"} <= set(agentguard.__all__)


def test_a_name_is_imported_from_where_type_checkers_see_it():
    [checked] = [node for node in parsed(Path(agentguard.__file__)).body if isinstance(node, ast.If)][:1]
    seen = {name.name: block.module for block in checked.body for name in block.names}
    assert seen == agentguard._MODULES
    assert sorted(seen) == agentguard.__all__


def test_a_name_that_is_not_public_is_not_there():
    with pytest.raises(AttributeError, match="module `agentguard` has no attribute `Gaurd`"):
        _ = agentguard.Gaurd
    with pytest.raises(ImportError, match="cannot import name 'Gaurd'"):
        from agentguard import Gaurd  # noqa: F401
    assert set(agentguard.__all__) < set(dir(agentguard))


def test_importing_agentguard_loads_no_vendor_no_web_framework_and_no_command_line():
    assert fresh()["heavy"] == []


def test_importing_agentguard_alone_loads_next_to_nothing():
    assert fresh()["later"] == []


def test_importing_agentguard_does_not_configure_logging():
    assert fresh()["logs"] == [False, 0]


def test_the_installed_package_says_its_licence_and_is_typed():
    assert metadata("agentguard")["License-Expression"] == "Apache-2.0"
    assert (Path(agentguard.__file__).parent / "py.typed").exists()


def test_what_a_call_on_the_guard_gives_back_has_a_public_name(tmp_path):
    (tmp_path / "rules.yaml").write_text("agentguard: 1\npolicy: rules\nversion: 1\nactions: {order.look_up: {}}\n")
    guard = agentguard.Guard(tmp_path, store="sqlite://")
    calls = ["run", "arun", "decide", "record", "limits", "check", "told", "letter", "confirm", "contest", "work"]
    votes = ["approve", "reject", "amend", "withdraw"]
    reviews = ["list", "show", "view", "judge", "report", "verify"]
    found = [*(getattr(guard, name) for name in calls), *(getattr(guard.escalations, name) for name in votes)]
    found += [getattr(guard.privacy, name) for name in ("find", "about", "erase")]
    found += [getattr(guard.retention, name) for name in ("hold", "lift", "holds", "due", "purge")]
    found += [
        guard.activate,
        *(getattr(guard.canary, name) for name in ("begin", "promote", "abort", "running", "side")),
    ]
    found += [guard.canary.groups, *(getattr(guard.changes, name) for name in ("look", "make", "pending", "proposal"))]
    found += [getattr(guard.changes, name) for name in ("proposed", "agree", "withdraw", "earlier")]
    for call in [*found, *(getattr(guard.reviews, name) for name in reviews)]:
        annotation = inspect.signature(call).return_annotation
        given = annotation.removeprefix("tuple[").removesuffix(", ...]").rpartition(".")[2]
        assert given in agentguard.__all__, (call.__name__, given)
    for error in (agentguard.MoneyError, agentguard.PolicyVersionError):  # raised by `Money.of`, and by activating
        assert issubclass(error, agentguard.AgentGuardError)
    assert agentguard.WaitsFor is typing.get_type_hints(agentguard.Waiting.escalation.fget)["return"]
    guard.close()
