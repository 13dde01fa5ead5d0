"""Nothing in the README and the manual stands there unrun."""

import re
import shutil

import pytest

from tests.project.documents import LANGUAGES, Block, Reader, blocks_of, documents
from tests.project.tree import ROOT, shown

DOCUMENTS = documents()


@pytest.fixture
def reader(tmp_path, monkeypatch):
    if (ROOT / "policies").exists():
        shutil.copytree(ROOT / "policies", tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path.name, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_block_does_what_the_document_says(document, reader):
    for block in blocks_of(shown(document), document.read_text(encoding="utf-8")):
        reader.follow(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_block_names_a_known_language_and_a_reason_if_it_is_not_run(document):
    for block in blocks_of(shown(document), document.read_text(encoding="utf-8")):
        assert block.language in LANGUAGES, block.place
        assert block.language != "yaml" or "not run" not in block.markers, f"{block.place}: every YAML block loads"
        assert len(block.markers.get("not run", "a good reason").split()) >= 2, f"{block.place}: a reason is missing"


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_link_inside_the_repository_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, heading = target.partition("#")
        page = document.parent / path if path else document
        assert page.exists(), f"{shown(document)}: `{target}` leads nowhere"
        assert not heading or heading in headings(page), f"{shown(document)}: `{target}` names no heading"


def prose(document):
    """Return what a document says outside its blocks."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", document.read_text(encoding="utf-8"))


def headings(document):
    """Return what a link behind `#` may name: each heading as it is spelled in an address."""
    found = re.findall(r"(?m)^#+ +(.*)$", prose(document))
    words = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in found]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in words}


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_test_that_a_document_names_exists(document):
    text = document.read_text(encoding="utf-8")
    for path, name in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text):
        assert (ROOT / path).exists(), f"{shown(document)}: there is no {path}"
        assert f"def {name}" in (ROOT / path).read_text(encoding="utf-8"), f"{shown(document)}: no {name} in {path}"


def test_the_readme_fits_150_lines():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_a_block_that_fails_is_noticed_with_its_document_and_line(reader):
    blocks = blocks_of("page.md", "A page.\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    assert [block.line for block in blocks] == [4, 8]
    reader.follow(blocks[0])
    with pytest.raises(AssertionError) as caught:
        reader.follow(blocks[1])
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == ("page.md", 8)


def test_a_block_saved_under_a_name_is_there_for_the_next_one(reader):
    check = 'from pathlib import Path\nassert Path("notes/one.txt").read_text() == "hello\\n"\n'
    text = f"<!-- file: notes/one.txt -->\n```text\nhello\n```\n```python\n{check}```\n"
    for block in blocks_of("page.md", text):
        reader.follow(block)


def test_a_command_that_prints_something_else_or_ends_otherwise_is_noticed(reader):
    good = 'python -c "print(1, 2, 3)"\n1 ... 3\n'
    reader.follow(Block("page.md", 1, "console", f"$ {good}", {}))
    with pytest.raises(AssertionError, match="prints something else"):
        reader.follow(Block("page.md", 1, "console", "$ python -c 'print(1)'\n2\n", {}))
    with pytest.raises(AssertionError, match="ended with 3"):
        reader.follow(Block("page.md", 1, "console", "$ python -c 'raise SystemExit(3)'\n", {}))
    reader.follow(Block("page.md", 1, "console", "$ python -c 'raise SystemExit(3)'\n", {"exits": "3"}))
    reader.follow(Block("page.md", 1, "console", "$ agentguard nothing\n...No such command...\n", {"exits": "2"}))
    with pytest.raises(AssertionError, match="ended with 2"):
        reader.follow(Block("page.md", 1, "console", "$ agentguard nothing\n", {}))
    with pytest.raises(AssertionError, match="there is no `scripts/nothing`"):
        reader.follow(Block("page.md", 1, "console", "$ scripts/nothing\n", {}))
