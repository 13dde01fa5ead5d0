"""A sealed shop and the packs that were taken from it; tests read them and change copies."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentguard import Guard
from agentguard.evidence import verify
from agentguard.evidence.keys import SigningKey
from tests.cli import shop as shops

KEY = SigningKey("acme/log", b"k" * 32)


@dataclass(frozen=True)
class Shop:
    """A shop whose log is sealed, and a pack of one customer's refunds."""

    folder: Path
    ids: dict[str, str]
    pack: Path

    def guard(self) -> Guard:
        return Guard(self.folder / "policies", store=f"sqlite:///{self.folder}/shop.db", signer=KEY)


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack") / "shop"
    ids = shops.make(folder)
    made = Shop(folder, ids, folder / "refunds.zip")
    guard = made.guard()
    guard.seals.seal()
    guard.audit.export(made.pack, customer="cus_8812", by="ada", why="the audit of 2026")
    guard.close()
    return made


@pytest.fixture
def files(shop):
    """The files of the pack, to be changed and put together again with `zipped`."""
    with zipfile.ZipFile(shop.pack) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def zipped(path: Path, files: dict[str, bytes], *, consistent: bool = False) -> Path:
    """Put files into a pack; with a manifest that fits them again, as somebody would who knows how."""
    if consistent:
        about = {**json.loads(files["manifest.json"]), "digest": None}
        about["files"] = {
            name: verify.hashlib.sha256(files[name]).hexdigest() for name in files if name != "manifest.json"
        }
        about["digest"] = verify.hashlib.sha256(verify.canonical(about)).hexdigest()
        files = {**files, "manifest.json": verify.canonical(about, 2) + b"\n"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path
