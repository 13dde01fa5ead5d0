"""Law 13: each outside world has one door. The layers themselves are held by import-linter (`scripts/check`)."""

import ast

import pytest

from tests.project.tree import PACKAGE, modules, nodes, shown

# The demo plays an application, which has the vendor's client; the command line is one, and says where its log goes;
# the server of the test kit is asked in its own words.
DOORS = {
    "alembic": {"store"},
    "cryptography": {"evidence", "store"},
    "openai": {"adapters", "cli/demo"},
    "opentelemetry": {"engine", "log.py"},
    "psycopg": {"store", "testing/postgres_server.py"},
    "rich": {"cli"},
    "ruamel": {"policyfile"},
    "sqlalchemy": {"store"},
    "sqlite3": {"store"},
    "sqlmodel": {"store"},
    "structlog": {"log.py", "cli"},
    "tenacity": {"engine", "store"},
    "typer": {"cli"},
    "z3": {"analysis"},
    "zoneinfo": {"policyfile"},
}


def imported(path):
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0], node.lineno


@pytest.mark.law(13)
def test_a_vendor_is_imported_only_behind_its_door():
    found = [(name, path, line) for path in modules() for name, line in imported(path) if name in DOORS]
    elsewhere = [
        f"{shown(path)}:{line} {name}"
        for name, path, line in found
        if not path.relative_to(PACKAGE).as_posix().startswith(tuple(DOORS[name]))
    ]
    assert elsewhere == []


def test_nobody_imports_a_door():
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in modules()
        if path.relative_to(PACKAGE).parts[0] not in {"adapters", "cli"}
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agentguard.adapters")
    ]
    assert found == []


def test_nothing_but_the_one_module_that_asks_the_machine_is_excused_from_asking():
    excused = [
        f"{shown(path)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if "noqa" in line and ("TID251" in line or "DTZ" in line)
    ]
    assert excused == []
