"""Where the key that signs the log's checkpoints is: in a file, in the environment, or wherever a host's signer has it.

    guard = Guard("policies/", signer=SigningKeyFile("seal.key"))

A key in a file remembers beside itself what it signed, so that a database that was put back or rewritten is not signed
a second time, whatever became of the tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agentguard.engine import machine
from agentguard.engine.signing_memory import SignedFile, SignedHere, SignedMemory
from agentguard.errors import ConfigurationError, NoteError, UsageError
from agentguard.evidence.keys import KEY_BYTES, LOG, Signer, SigningKey, VerifierKey

VARIABLE = "AGENTGUARD_SIGNING_KEY"
SIGNED_VARIABLE = "AGENTGUARD_SIGNED"
"""Where it is written down what the key in that file signed, if not beside it: its folder may be for reading only."""
PRIVATE = "PRIVATE+KEY+"
_LARGEST_FILE = 10_000
_LARGEST_NAME = 4_096


class SigningKeyFile:
    """Signs with the key in a file that `agentguard audit keygen` made, and that only its owner may read.

    Attributes:
        key: The public half.

    Args:
        path: The file.
        signed: Where it is written down what was signed; `PATH.signed` if left out.

    Raises:
        ConfigurationError: There is no key in it, or others may read it.
    """

    def __init__(self, path: str | Path, *, signed: str | Path | None = None) -> None:
        self.path = Path(path)
        self._signing = _read(self.path)
        self.key: VerifierKey = self._signing.key
        self.signed = SignedFile(signed or f"{path}.signed", lock=self.path)

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature over the message."""
        return self._signing.sign(message)


def has_key(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment names what signs."""
    return bool(environment.get(VARIABLE))


def from_environment(environment: Mapping[str, str] = os.environ) -> Signer | None:
    """Return what signs where nobody names a signer: the file that `AGENTGUARD_SIGNING_KEY` names, or the key in it.

    Raises:
        ConfigurationError: There is no key.
    """
    named = environment.get(VARIABLE, "")
    if not named:
        return None
    if not named.startswith(PRIVATE):
        return SigningKeyFile(named, signed=environment.get(SIGNED_VARIABLE) or None)
    try:
        return _for_logs(SigningKey.read(named), f"the variable {VARIABLE}")
    except NoteError as error:
        raise ConfigurationError([f"{VARIABLE}: {error}"]) from error


def signed_elsewhere(signer: Signer, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the file that `AGENTGUARD_SIGNED` names for a key that is in no file and remembers nothing itself."""
    return None if isinstance(signer, SigningKeyFile) else environment.get(SIGNED_VARIABLE) or None


def memory_of(signer: Signer, signed: str | Path | None = None) -> SignedMemory:
    """Return what remembers the signatures of a signer: a file, its own, or this process for as long as it is.

    Args:
        signer: Who signs.
        signed: The file; that beside its key where a `SigningKeyFile` is given and nothing else is said.
    """
    found = SignedFile(signed) if signed is not None else getattr(signer, "signed", None)
    return found if isinstance(found, SignedMemory) else SignedHere()


def make_key(path: str | Path, name: str, signs: int = LOG) -> VerifierKey:
    """Make a new key in a new file that only its owner may read, and its public half beside it in `PATH.pub`.

    Raises:
        UsageError: One of the files is there, or cannot be made, or the name is none for a key.
    """
    try:
        made = SigningKey(name, machine.random_bytes(KEY_BYTES), signs)
        public = made.key
    except NoteError as error:
        raise UsageError(str(error)) from error
    beside = Path(f"{path}.pub")
    _write_new(beside, public.text, 0o644)
    try:
        _write_new(Path(path), made.text, 0o600)
    except UsageError:
        beside.unlink()
        raise
    return public


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise UsageError(
            f"expected a new file for the key, got `{path}`, which is there; no key is ever overwritten"
        ) from error
    except OSError as error:
        raise UsageError(f"the key file `{path}` cannot be made: {error.strerror}") from error
    with os.fdopen(file, "w") as opened:
        opened.write(f"{text}\n")
        opened.flush()
        os.fsync(opened.fileno())


def read_public(text: str) -> VerifierKey:
    """Return the public key that a text is, or that stands in the file it names, be it the private key's.

    Raises:
        UsageError: It is neither.
    """
    given = text.strip()
    try:
        path = Path(given)
        if not given.startswith(PRIVATE) and len(given) < _LARGEST_NAME and path.is_file():
            with path.open("rb") as file:
                given = file.read(_LARGEST_FILE).decode("utf-8", "replace").strip()
        return SigningKey.read(given).key if given.startswith(PRIVATE) else VerifierKey.read(given)
    except (NoteError, OSError) as error:
        shown = "a private key" if given.startswith(PRIVATE) else f"`{text[:100]}`"
        raise UsageError(f"expected a public key, or a file with one, in {shown}: {error}") from error


def _read(path: Path) -> SigningKey:
    if str(path).startswith(PRIVATE):
        raise ConfigurationError(
            [f"expected the file of a key, got a private key itself; put it into a file, or into {VARIABLE}"]
        )
    try:
        mode = path.stat().st_mode & 0o777
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigurationError(
            [f"the key file `{path}` cannot be read: {error.strerror}; `agentguard audit keygen` makes one"]
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(
            [f"expected the key file `{path}` to be its owner's alone, got mode {mode:o}; run `chmod 600` on it"]
        )
    try:
        return _for_logs(SigningKey.read(text), f"the file `{path}`")
    except NoteError as error:
        raise ConfigurationError([f"`{path}`: {error}"]) from error


def _for_logs(key: SigningKey, where: str) -> SigningKey:
    if key.signs != LOG:
        raise ConfigurationError([f"expected the key of a log in {where}, got that of a witness, which signs no log"])
    return key
