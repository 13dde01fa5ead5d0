"""What editors show, asked of the real yaml-language-server: a line for every key, and mistakes underlined."""

import json
from dataclasses import dataclass, field

import pytest

from agentguard.cli.shipped import TEMPLATES, policies_folder
from agentguard.policyfile import json_schema, modeline

KINDS = ("policy", "cases", "people")


@dataclass
class Page:
    """A file that uses every key which a schema knows, with the place of each, written from the schema itself.

    Attributes:
        keys: Of each key its line and column, and what is said about it.
        mappings: Of each mapping the names that its schema knows.
        cursor: The mapping of which only the first key is written, with an empty line below it.
    """

    schema: dict
    cursor: str | None = None
    lines: list[str] = field(default_factory=list)
    keys: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    mappings: dict[str, set[str]] = field(default_factory=dict)
    at: tuple[int, int] = (0, 0)

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    def write(self, part, path="", indent=0, first=""):
        """Write what a part of the schema describes, and return whether it was more than a text."""
        part = self.resolved(part)
        if part.get("type") == "array":
            self.write(part["items"], f"{path}[]", indent + 2, " " * indent + "- ")
            return
        known = {**part.get("properties", {})}
        self.mappings |= {path: set(known)} if known else {}
        for pattern, inner in part.get("patternProperties", {}).items():
            known["mon-fri"] = inner
            assert "mon" in pattern
        if isinstance(part.get("additionalProperties"), dict):
            known["some_name"] = part["additionalProperties"]
        if not known:
            self.lines.append(f"{first or ' ' * indent}{value(part)}")
        for number, (name, inner) in enumerate(known.items()):
            head = first if first and not number else " " * indent
            self.keys[f"{path}.{name}"] = (len(self.lines), len(head), self.resolved(inner).get("description", ""))
            if holds_more(self.resolved(inner)):
                self.lines.append(f"{head}{name}:")
                self.write(inner, f"{path}.{name}", indent + 2)
            else:
                self.lines.append(f"{head}{name}: {value(self.resolved(inner))}")
            if path == self.cursor and part.get("properties") and not self.at[0]:
                self.at = (len(self.lines), indent)
                self.lines.append(" " * indent)
                return

    def resolved(self, part):
        """Return a part without references, in the form of it that says the most."""
        found = dict(part)
        for reference in [*found.pop("allOf", ()), *([{"$ref": found.pop("$ref")}] if "$ref" in found else ())]:
            found = {**self.schema["definitions"][reference["$ref"].rpartition("/")[2]], **found}
        if "anyOf" in found:
            choices = sorted(map(self.resolved, found.pop("anyOf")), key=lambda one: "properties" in one)
            rich = [one for one in choices if holds_more(one)]
            found = {**(rich[-1] if rich else choices[0]), **found}
        return found


def holds_more(part):
    return bool({"properties", "patternProperties", "items"} & set(part)) or isinstance(
        part.get("additionalProperties"), dict
    )


def value(part):
    if "enum" in part:
        return part["enum"][0]
    return "1" if part.get("type") == "integer" else "allow"


@pytest.fixture(scope="module")
def editor(server):
    """The server, with the schemas beside the files that it is shown."""
    (server.folder / "schema").mkdir()
    for kind in KINDS:
        (server.folder / "schema" / f"{kind}.json").write_text(json.dumps(json_schema(kind)))
    return server


def page_of(kind, cursor=None):
    page = Page(json_schema(kind), cursor)
    page.lines.append(modeline(f"schema/{kind}.json"))
    page.write(page.schema)
    return page


def saved(editor, text):
    """Write a file of its own for each test, so that nothing that is said is about another text."""
    path = editor.folder / f"{len(list(editor.folder.iterdir()))}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_shows_its_line_under_the_mouse(editor, kind):
    page = page_of(kind)
    path = saved(editor, page.text)
    editor.diagnostics(path)
    wrong = {}
    for key, (line, column, words) in page.keys.items():
        shown = editor.hover(path, line, column + 1).replace("\\", "").partition("\n")[0]
        if shown != words:
            wrong[key] = (shown, words)
    assert wrong == {}
    assert len(page.keys) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_offered_where_it_may_stand_with_its_line(editor, kind):
    whole = page_of(kind)
    path = saved(editor, whole.text)
    editor.diagnostics(path)
    missing = {}
    for mapping, names in whole.mappings.items():
        page = page_of(kind, mapping)
        editor.change(path, page.text)
        offered = editor.completions(path, *page.at)
        written = {key for key in names if f"{mapping}.{key}" in page.keys}
        if lost := names - written - set(offered):
            missing[mapping or "the file"] = lost
        for name in names & set(offered):
            assert offered[name]["documentation"].strip(), name
    assert missing == {}


def test_nothing_is_underlined_in_what_we_give_away(editor):
    files = [*sorted(policies_folder().rglob("*.yaml")), *sorted(TEMPLATES.glob("*.yaml"))]
    assert len(files) > 15
    paths = []
    for file in files:
        kind = "people" if file.stem == "people" else "cases" if file.stem.endswith("_test") else "policy"
        text = file.read_text(encoding="utf-8")
        paths.append(saved(editor, f"{modeline(f'schema/{kind}.json')}\n{text}"))
    found = editor.diagnostics_of(paths)
    assert {file.name: found[path] for file, path in zip(files, paths, strict=True) if found[path]} == {}


def test_what_init_writes_finds_its_schemas_by_itself(server, command):
    folder = server.folder / "desk"
    assert command("policy", "init", str(folder), "--template", "orders").code == 0
    shown = {
        "orders.yaml": "The version of this format: 1.",
        "orders_test.yaml": "The policy under test, or several that are in force together.",
        "people.yaml": "The version of this format: 1.",
    }
    for name, words in shown.items():
        path = folder / name
        assert server.diagnostics(path) == []
        lines = path.read_text(encoding="utf-8").split("\n")
        first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
        assert server.hover(path, first, 1).partition("\n")[0] == words


@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ("owner:", "ownr:", "Property ownr is not allowed."),
        ("then: allow", "then: alow", "Expected allow, deny, or escalate to a route."),
        ("version: 14", "version: new", 'Incorrect type. Expected "integer".'),
        ("    in: forever\n", "", 'Missing property "in".'),
        ("mon-fri: 08:00-18:00", "mon-fri: always", "Expected hours like 08:00-18:00, or closed."),
        ("otherwise: deny", "otherwise: deny\nexpires: tomorrow", "Expected a day like 2026-12-31."),
    ],
)
def test_a_mistake_is_underlined_where_it_is_in_words(editor, right, wrong, said):
    text = (policies_folder() / "refunds" / "refunds.yaml").read_text(encoding="utf-8")
    assert right in text
    changed = text.replace(right, wrong, 1)
    path = saved(editor, f"{modeline('schema/policy.json')}\n{changed}")
    (found,) = editor.diagnostics(path)
    assert found["message"] == said
    if wrong:
        line = changed.split("\n")[found["range"]["start"]["line"] - 1]
        assert wrong.rpartition("\n")[2].partition(":")[0] in line


@pytest.mark.parametrize(
    "kind, text, key",
    [
        ("cases", "test: x\ncases:\n  - {name: a, do: b.c, expct: deny}\n", "expct"),
        ("people", "people: 1\nusers:\n  maria: {login: [m]}\n", "login"),
    ],
)
def test_a_wrong_key_of_examples_and_people_is_underlined_too(editor, kind, text, key):
    path = saved(editor, f"{modeline(f'schema/{kind}.json')}\n{text}")
    (found,) = editor.diagnostics(path)
    assert found["message"] == f"Property {key} is not allowed."
    assert found["range"]["start"] == {"line": 3, "character": text.split("\n")[2].index(key)}


def test_verdicts_are_offered_as_values(editor):
    text = f"{modeline('schema/policy.json')}\nagentguard: 1\nrules:\n  - id: r\n    then: \n"
    path = saved(editor, text)
    editor.diagnostics(path)
    assert {"allow", "deny", "escalate to …"} <= set(editor.completions(path, 4, 10))
