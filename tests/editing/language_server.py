"""The real yaml-language-server, asked over LSP as an editor asks it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.project.tree import ROOT

PLACE = ROOT / ".venv" / "editing"
PROGRAM = PLACE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
MISSING = "yaml-language-server is not there: scripts/test brings it where `npm` is on PATH and its registry is reached"
LONGEST_MESSAGE = 4_000_000


def is_there():
    """Return whether the server can be started."""
    return PROGRAM.is_file() and shutil.which("node") is not None


class LanguageServer:
    """One server and the files that are open in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: dict[str, list[dict]] = {}
        self._number = 0
        self._process = subprocess.Popen(
            ["node", str(PROGRAM), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
        workspace = {"configuration": True, "workspaceFolders": True}
        capabilities = {
            "workspace": workspace,
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "publishDiagnostics": {},
            },
        }
        root = {"uri": folder.as_uri(), "name": folder.name}
        self.ask(
            "initialize",
            processId=os.getpid(),
            rootUri=folder.as_uri(),
            capabilities=capabilities,
            workspaceFolders=[root],
        )
        self._tell("initialized")

    def close(self) -> None:
        """End the server as an editor ends it."""
        self.ask("shutdown")
        self._tell("exit")
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def diagnostics(self, path: Path) -> list[dict]:
        """Open a file and return what the server underlines in it."""
        return self.diagnostics_of([path])[path]

    def diagnostics_of(self, paths: list[Path]) -> dict[Path, list[dict]]:
        """Open files and return what the server underlines in each."""
        for path in paths:
            text = path.read_text(encoding="utf-8")
            document = {"uri": path.as_uri(), "languageId": "yaml", "version": 0, "text": text}
            self._tell("textDocument/didOpen", textDocument=document)
        while not all(path.as_uri() in self.told for path in paths):
            self._next()
        return {path: self.told[path.as_uri()] for path in paths}

    def change(self, path: Path, text: str) -> None:
        """Type another text into an open file."""
        self._number += 1
        document = {"uri": path.as_uri(), "version": self._number}
        self._tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def hover(self, path: Path, line: int, column: int) -> str:
        """Return what stands in the little window over a place; both count from 0."""
        found = self.ask("textDocument/hover", **_place(path, line, column))
        return found["contents"]["value"] if found else ""

    def completions(self, path: Path, line: int, column: int) -> dict[str, dict]:
        """Return what is offered at a place, by label."""
        found = self.ask("textDocument/completion", **_place(path, line, column))
        return {item["label"]: item for item in found["items"]}

    def ask(self, method: str, **parameters):
        """Ask something and return the answer."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters or None})
        while True:
            message = self._next()
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _next(self) -> dict:
        """Take one message of the server; what it asks and tells on the way is answered and remembered."""
        message = self._read()
        match message.get("method"):
            case "textDocument/publishDiagnostics":
                self.told[message["params"]["uri"]] = message["params"]["diagnostics"]
            case "workspace/configuration":
                settings = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
                sections = [settings if item.get("section") == "yaml" else None for item in message["params"]["items"]]
                self._send({"id": message["id"], "result": sections})
            case str() if "id" in message:
                self._send({"id": message["id"], "result": None})
        return message

    def _tell(self, method: str, **parameters) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> dict:
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert 0 < length < LONGEST_MESSAGE, "the server ended, or says too much"
        return json.loads(self._process.stdout.read(length))


def _place(path: Path, line: int, column: int) -> dict:
    return {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": column}}
