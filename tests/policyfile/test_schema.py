"""The schemas for editors: they accept what loads, and refuse what a schema can see."""

import json
from datetime import date
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from agentguard.policyfile import json_schema, modeline
from agentguard.policyfile.model import PolicyModel, RouteModel
from tests.policyfile.broken import BASE, CASES, marked

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "policies").rglob("*.yaml")) + sorted((Path(__file__).parent / "good").glob("*.yaml"))


def as_an_editor_reads(text):
    def plain(value):
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, date) else value

    return plain(YAML(typ="safe", pure=True).load(text))


def kind_of(path):
    return "cases" if path.name.endswith("_test.yaml") else "people" if path.name == "people.yaml" else "policy"


@cache
def validator(kind):
    return jsonschema.Draft7Validator(json_schema(kind))


def errors(kind, text):
    found = validator(kind).iter_errors(as_an_editor_reads(text))
    return [f"{list(error.path)} {error.message}" for error in found]


@pytest.mark.parametrize("kind", ["policy", "cases", "people"])
def test_the_schemas_are_draft_7(kind):
    jsonschema.Draft7Validator.check_schema(json_schema(kind))
    assert "$defs" not in json.dumps(json_schema(kind))


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_file_that_loads_is_valid(path):
    assert errors(kind_of(path), path.read_text(encoding="utf-8")) == []


def test_structural_mistakes_are_seen_while_typing():
    assert errors("policy", BASE) == []
    unseen = [
        name
        for name, codes, text in CASES
        if codes[0] in {"unknown_key", "missing_key", "reserved", "keys_conflict"}
        if not errors("policy", marked(text)[0])
    ]
    assert unseen == []


def test_verdicts_and_days_are_seen_while_typing():
    assert errors("policy", BASE.replace("then: allow", "then: alow"))
    assert errors("policy", BASE.replace("otherwise: deny", "otherwise: deny\nexpires: tomorrow"))
    assert errors("policy", BASE.replace("mon-fri: 08:00-18:00", "mon-fri: always"))


def keys_of(part, path=""):
    """Yield every key that a schema knows, wherever it stands, with what is said about it."""
    if isinstance(part, list):
        for item in part:
            yield from keys_of(item, path)
    elif isinstance(part, dict):
        for known in ("properties", "patternProperties"):
            for name, inner in part.get(known, {}).items():
                yield f"{path}.{name}", inner
        for name, inner in part.items():
            yield from keys_of(inner, f"{path}.{name}")


@pytest.mark.parametrize("kind", ["policy", "cases", "people"])
def test_every_key_has_one_plain_line_that_an_editor_shows(kind):
    described = {path: part.get("description", "") for path, part in keys_of(json_schema(kind))}
    assert len(described) > 15
    assert [path for path, words in described.items() if not words.strip()] == []
    assert [path for path, words in described.items() if "\n" in words or len(words) > 170] == []
    assert [path for path, words in described.items() if not words.rstrip(")").endswith(".")] == []


def test_the_lines_are_those_of_the_models():
    schema = json_schema("policy")
    assert schema["properties"]["policy"]["description"] == PolicyModel.model_fields["policy"].description
    assert schema["definitions"]["route"]["description"].startswith((RouteModel.__doc__ or "?").split("\n")[0])


def test_the_modeline_is_what_yaml_language_server_reads():
    assert modeline("policy.json") == "# yaml-language-server: $schema=policy.json"


@pytest.mark.parametrize(
    "promise, is_valid",
    [
        ("never_by_splitting: 300, sum: amount, per: on_behalf_of, in: 30 days", True),
        ("never_by_splitting: 3, count: actions, in: calendar day, when: amount > 5", True),
        ("never_by_splitting: 300, sum: amount", False),
        ("never_by_splitting: 300, in: 30 days", False),
        ("never_by_splitting: 300, sum: amount, count: actions, in: 30 days", False),
        ("never_by_splitting: 300, sum: amount, in: 30 days, never: allow", False),
        ("never: allow, per: on_behalf_of", False),
    ],
)
def test_a_promise_against_splitting_says_what_is_summed_and_over_which_time(promise, is_valid):
    text = BASE.replace("never: allow, when: amount > 50", promise)
    assert text != BASE
    assert (errors("policy", text) == []) is is_valid
