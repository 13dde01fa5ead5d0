"""`agentguard witness`: a witness for other machines' logs; and which witnesses a command asks."""

from __future__ import annotations

import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from agentguard.adapters.file_witness import FileWitness
from agentguard.adapters.http_witness import HttpWitness
from agentguard.adapters.witness_desk import WitnessDesk
from agentguard.adapters.witness_server import WitnessServer
from agentguard.adapters.witnessed_logs import WitnessedLogs
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.engine.machine import wall_clock
from agentguard.engine.signing import make_key
from agentguard.engine.witness import Witness
from agentguard.errors import ConfigurationError, NoteError, UsageError
from agentguard.evidence.keys import WITNESS, SigningKey, VerifierKey
from agentguard.store.witness_book import WitnessBook

WitnessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        envvar="AGENTGUARD_WITNESS",
        help="A witness of the log: a file, or `https://… KEY` in quotes; several of them by repeating.",
    ),
]


def keygen(
    name: Annotated[str, typer.Argument(help="What the witness is called, like `witness.example/w1`.")],
    key: Annotated[Path, typer.Option("--key", help="The new file for the private key.")] = Path("witness.key"),
    json: JsonOption = False,
) -> None:
    """Make a witness's key, and print the public one, which the logs' hosts pin."""
    public = make_key(key, name, WITNESS)
    if json:
        print_json({"key": public.text, "file": str(key)})
    else:
        print(public.text)


def serve(
    logs: Annotated[Path, typer.Option("--logs", help="The logs that it knows: lines of `ORIGIN KEY`.")],
    key: Annotated[Path, typer.Option("--key", help="The private key, as `witness keygen` made it.")] = Path(
        "witness.key"
    ),
    database: Annotated[Path, typer.Option("--database", help="Where it keeps the checkpoints.")] = Path("witness.db"),
    listen: Annotated[str, typer.Option("--listen", help="Where it listens; port 0 takes a free one.")] = (
        "127.0.0.1:8443"
    ),
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Requests a second from one address.")] = 50.0,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="Speak HTTPS with this certificate (PEM).")
    ] = None,
    certificate_key: Annotated[Path | None, typer.Option("--tls-key", help="The certificate's private key.")] = None,
    json: JsonOption = False,
) -> None:
    """Serve a witness over HTTP, as C2SP's tlog-witness says, until it is interrupted."""
    signer = _witness_key(key)
    book = WitnessBook(database)
    desk = WitnessDesk(signer, WitnessedLogs(logs), book, lambda: int(wall_clock().timestamp()))
    try:
        server = WitnessServer(_address(listen), desk, rate=rate, tls=_tls(certificate, certificate_key))
    except OSError as error:
        raise UsageError(f"expected an address to listen at, got `{listen}`: {error.strerror or error}") from error

    def stop(*_: object) -> None:
        """Stop listening; what is being answered is answered."""
        threading.Thread(target=server.shutdown).start()

    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, stop)
    if json:
        print_json({"url": server.url, "key": signer.key.text})
    else:
        Output().line(f"`{signer.key.name}` listens at {server.url}; its key is {signer.key.text}")
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
        book.close()


def witnesses_of(named: list[str] | None) -> tuple[Witness, ...]:
    """Return the witnesses that a command's options name: files, or addresses with their keys.

    Raises:
        ConfigurationError: An address has no key, or is none.
    """
    found: list[Witness] = []
    waiting = list(named or ())
    while waiting:
        text = waiting.pop(0)
        address, _, key = text.strip().partition(" ")
        if not key and waiting and _is_key(waiting[0]):  # what stands in the environment is cut at each blank
            key = waiting.pop(0)
        if not address.startswith(("https://", "http://")):
            found.append(FileWitness(text))
        elif key.strip():
            found.append(HttpWitness(address, key=key.strip()))
        else:
            raise ConfigurationError(
                [f"expected `--witness '{address} KEY'` with the witness's public key, got no key"]
            )
    return tuple(found)


def _is_key(text: str) -> bool:
    try:
        VerifierKey.read(text)
    except NoteError:
        return False
    return True


def _witness_key(path: Path) -> SigningKey:
    try:
        mode = path.stat().st_mode & 0o077
        found = SigningKey.read(path.read_text("utf-8"))
    except (OSError, NoteError, UnicodeError) as error:
        raise UsageError(
            f"expected the key of a witness in `{path}`, got none ({error}); `agentguard witness keygen` makes one"
        ) from error
    if found.signs != WITNESS:
        raise UsageError(f"expected the key of a witness in `{path}`, got that of a log")
    if mode and sys.platform != "win32":
        raise UsageError(f"expected `{path}` to be its owner's alone; run `chmod 600` on it")
    return found


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"expected `HOST:PORT` to listen at, got `{listen}`")
    return host.strip("[]"), int(port)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise UsageError("expected --tls-certificate beside --tls-key, got the key alone")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"expected a certificate with its key in `{certificate}`: {error}") from error
    return context
