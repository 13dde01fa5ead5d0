"""Which key signs for a command: that in the file which `--key` names, or what the environment names or holds."""

from __future__ import annotations

from os import environ
from pathlib import Path
from typing import Annotated

import typer

from agentguard.engine.signing import SIGNED_VARIABLE, VARIABLE, SigningKeyFile, from_environment
from agentguard.evidence.keys import Signer

SigningKeyOption = Annotated[
    Path | None,
    typer.Option("--key", help=f"The private key's file, as `audit keygen` made it; {VARIABLE} if left out."),
]
SignedOption = Annotated[
    Path | None,
    typer.Option("--signed", envvar=SIGNED_VARIABLE, help="Where it is written down what was signed; beside the key."),
]


def signer_of(key: Path | None, signed: Path | None = None) -> Signer | None:
    """Return what signs; None where neither the option nor the environment names a key.

    Raises:
        ConfigurationError: There is no key where one is named.
    """
    return from_environment() if key is None else SigningKeyFile(key, signed=signed or environ.get(SIGNED_VARIABLE))
