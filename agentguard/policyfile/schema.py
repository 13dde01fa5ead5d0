"""JSON Schemas for editors, made from the models: completion, hover texts, and red lines while typing.

They say only what a schema can; `load_text` says the rest. Kept to what draft 7 knows, which editors read best.
"""

from __future__ import annotations

from typing import Any

from agentguard.policyfile.cases import CasesModel
from agentguard.policyfile.model import Closed, PolicyModel
from agentguard.policyfile.people import PeopleModel

DRAFT = "http://json-schema.org/draft-07/schema#"
MODELS: dict[str, type[Closed]] = {"policy": PolicyModel, "cases": CasesModel, "people": PeopleModel}


def json_schema(kind: str = "policy") -> dict[str, Any]:
    """Return the schema of a kind of file: `policy`, `cases` or `people`."""
    schema = _plain(MODELS[kind].model_json_schema(by_alias=True))
    return {"$schema": DRAFT, "$comment": f"agentguard {kind} file", **schema}


def modeline(where: str) -> str:
    """Return the first line of a file that tells yaml-language-server where its schema is."""
    return f"# yaml-language-server: $schema={where}"


def _plain(part: Any) -> Any:
    """Return a schema without nulls, defaults and titles, which editors show, and with the names of draft 7."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if isinstance(part, str):
        return part.replace("#/$defs/", "#/definitions/") if part.startswith("#/$defs/") else part
    if not isinstance(part, dict):
        return part
    found: dict[str, Any] = {}
    for key, item in part.items():
        if key == "$defs":
            found["definitions"] = {name: _plain(inner) for name, inner in item.items()}
        elif key == "properties":
            found[key] = {name: _plain(inner) for name, inner in item.items()}
        elif key == "anyOf":
            choices = [_plain(choice) for choice in item if choice != {"type": "null"}]
            found |= choices[0] if len(choices) == 1 else {key: choices}
        elif key not in ("title", "default"):
            found[key] = _plain(item)
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]  # beside a reference draft 7 ignores everything else
    return found
