"""`agentguard store`: which database there is, whether its tables are this version's, and bringing them to it."""

from __future__ import annotations

from pathlib import Path

import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.identity import login
from agentguard.cli.opened import open_reading, require_file
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.store import Store
from agentguard.store.address import keys_file, read_address
from agentguard.store.tables import SCHEMA_VERSION


def show(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show the database, its tables, log and keys. Nothing is made or changed."""
    from agentguard.store.upgrading import version_at

    require_file(store)
    address = read_address(store)
    schema, keys = version_at(store), keys_file(store)
    found: dict[str, object] = {
        "database": address.render_as_string(hide_password=True),
        "engine": address.get_backend_name(),
        "schema": schema,
        "expected_schema": SCHEMA_VERSION,
        "keys": keys,
        "keys_found": keys is not None and Path(keys).is_file(),
    }
    fits = schema == SCHEMA_VERSION
    if fits:
        opened = open_reading(store).store
        found |= opened.read(lambda reading: {"log": reading.log_name(), "entries": reading.position()})
    if json:
        print_json(found)
    else:
        _say(Output(), found)
    if not fits:
        raise typer.Exit(FOUND)


def upgrade(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Bring the tables to this version. Stop what uses the database, and back it up, before; it is one transaction."""
    from agentguard.store.upgrading import upgrade as bring
    from agentguard.store.upgrading import version_at

    require_file(store)
    if version_at(store) is None:
        Store.open(store).close()
        before, after = None, SCHEMA_VERSION
    else:
        done = bring(store, by=login())
        before, after = done.before, done.after
    if json:
        print_json({"before": before, "after": after})
    elif before is None:
        Output().line(f"made the tables of schema {after}")
    elif before == after:
        Output().line(f"the tables are those of schema {after} already; nothing has changed")
    else:
        Output().line(f"brought the tables from schema {before} to schema {after}")


def _say(output: Output, found: dict[str, object]) -> None:
    schema = found["schema"]
    tables = f"schema {schema}, as this version expects"
    if schema is None:
        tables = "none yet; `agentguard store upgrade` makes them"
    elif schema != found["expected_schema"]:
        older = isinstance(schema, int) and schema < SCHEMA_VERSION
        advice = "run `agentguard store upgrade`" if older else "use an agentguard as new as it is"
        tables = f"schema {schema}, and this version expects {SCHEMA_VERSION}: {advice}"
    here = "" if found["keys_found"] else "  (not here)"
    pairs = [("database", found["database"]), ("tables", tables), ("keys", f"{found['keys']}{here}")]
    if "log" in found:
        pairs += [("log", found["log"]), ("entries", found["entries"])]
    for name, value in pairs:
        output.line(f"{name:8}  {value}")
