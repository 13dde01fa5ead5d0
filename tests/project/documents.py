"""Reads the code blocks of the README and the manual and runs them as a reader would, from top to bottom.

A comment right before a block says what else it is:

    <!-- file: policies/refunds.yaml -->   saved under this name, so that later blocks find it
    <!-- exits: 1 -->                      the last command of a console block ends with this code
    <!-- not run: why -->                  the only way out, and it needs a reason
"""

import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.forked import forked, typed
from tests.project.tree import ROOT

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
MARKER = re.compile(r"<!-- (?P<name>file|exits|not run):(?P<value>.*?)-->\s*\Z")
LANGUAGES = {"python", "yaml", "console", "text", "mermaid", "json", "diff", "toml", "sql"}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the line it starts on, and the markers before it."""

    document: str
    line: int
    language: str
    text: str
    markers: dict[str, str]

    @property
    def place(self) -> str:
        """Where the block stands, as an editor understands it."""
        return f"{self.document}:{self.line}"


def documents() -> list[Path]:
    """Return the README and every page of the manual."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(name: str, source: str) -> list[Block]:
    """Return the blocks of one document in order."""
    found = []
    for match in FENCE.finditer(source):
        before, markers = source[: match.start()], {}
        while marker := MARKER.search(before):
            markers[marker["name"]] = marker["value"].strip()
            before = before[: marker.start()]
        indent = match["indent"]
        text = re.sub(f"(?m)^{indent}", "", match["text"]) if indent else match["text"]
        found.append(Block(name, source.count("\n", 0, match.start()) + 2, match["language"], text, markers))
    return found


class Reader:
    """Follows one document in a folder of its own, where the project's `policies/` are at hand."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.module = ModuleType("document_" + re.sub(r"\W", "_", name))
        sys.modules[self.module.__name__] = self.module

    def follow(self, block: Block) -> None:
        """Do what the block says; an AssertionError or the block's own error says where it goes wrong."""
        if "file" in block.markers:
            path = self.folder / block.markers["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if "not run" in block.markers:
            return
        if block.language == "python":
            padded = "\n" * (block.line - 1) + block.text
            exec(compile(padded, block.document, "exec"), self.module.__dict__)
        elif block.language == "yaml":
            read_yaml(block)
        elif block.language == "console":
            self.type_in(block)

    def type_in(self, block: Block) -> None:
        """Run each `$ …` line of a console block and compare what it prints; `...` stands for anything."""
        parts = re.split(r"(?m)^\$ ", block.text)
        assert not parts[0].strip(), f"{block.place}: a console block starts with `$ `"
        for number, part in enumerate(parts[1:], start=1):
            command, _, expected = part.partition("\n")
            wanted = int(block.markers.get("exits", "0")) if number == len(parts) - 1 else 0
            done = self.run(command, block)
            if done is None:
                continue
            assert done.returncode == wanted, f"{block.place}: `{command}` ended with {done.returncode}\n{done.stdout}"
            compare(expected, done.stdout, f"{block.place}: `{command}`")

    def run(self, command: str, block: Block) -> subprocess.CompletedProcess[str] | None:
        """Run one command of ours; a script of the repository only has to exist, since this is one of them."""
        words = shlex.split(command)
        if words[0].startswith("scripts/"):
            assert os.access(ROOT / words[0], os.X_OK), f"{block.place}: there is no `{words[0]}`"
            return None
        assert words[0] in ("agentguard", "python"), f"{block.place}: `{words[0]}` is not the project's"
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}
        if words[0] == "agentguard":
            return self.type_command(words, environment)
        return subprocess.run(
            [sys.executable, *words[1:]],
            cwd=self.folder,
            env=environment,
            text=True,
            timeout=120,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def type_command(self, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one command of ours in a process of its own."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
            process = forked(typed, words[1:], self.folder, environment, printed.name)
            process.start()
            process.join(120)
            assert process.exitcode is not None, f"`{shlex.join(words)}` does not end"
            return subprocess.CompletedProcess(words, process.exitcode, printed.read())


def compare(expected: str, printed: str, place: str) -> None:
    """Hold what a command printed to what the document shows; spaces do not count, `...` stands for anything."""
    if not expected.strip():
        return
    wanted = re.escape(" ".join(expected.split())).replace(r"\.\.\.", ".*")
    if not re.fullmatch(wanted, " ".join(printed.split()), re.DOTALL):
        lines = difflib.unified_diff(expected.splitlines(), printed.splitlines(), "document", "printed", lineterm="")
        raise AssertionError(f"{place} prints something else\n" + "\n".join(lines))


def read_yaml(block: Block) -> None:
    """Read a YAML block as what its first key says it is."""
    from agentguard.policyfile import load_cases_text, load_people_text, load_text

    first = re.search(r"(?m)^([\w-]+):", block.text)
    assert first, f"{block.place}: a YAML block starts with a key"
    readers = {"agentguard": load_text, "people": load_people_text, "test": load_cases_text}
    assert first[1] in readers, f"{block.place}: expected a block that starts with one of {sorted(readers)}"
    readers[first[1]](block.text, block.place)
