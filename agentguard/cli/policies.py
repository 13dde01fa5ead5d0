"""`agentguard policy`: what product owners do with policy files, and how they come into force."""

from __future__ import annotations

import typer

from agentguard.cli import (
    activations,
    canaries,
    caseruns,
    diffs,
    editing,
    explanations,
    lints,
    proofs,
    proposals,
    simulations,
    starting,
    watching,
)

app = typer.Typer(
    help="Policy files: lint, test, explain and lay them out, and put them into force.", no_args_is_help=True
)
app.command("init")(starting.init)
app.command("lint")(lints.lint)
app.command("test")(caseruns.run)
app.command("explain")(explanations.explain)
app.command("prove")(proofs.prove)
app.command("diff")(diffs.compare)
app.command("simulate")(simulations.simulate)
app.command("compare")(simulations.compare)
app.command("watch")(watching.watch)
app.command("fmt")(editing.fmt)
app.command("schema")(editing.print_schema)
app.command("activate")(activations.activate)
app.command("approve")(proposals.approve)
app.command("withdraw")(proposals.withdraw)
app.command("rollback")(activations.rollback)
app.command("canary")(canaries.canary)
app.command("history")(activations.history)
