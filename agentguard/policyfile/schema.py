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
    made = MODELS[kind].model_json_schema(by_alias=True)
    models = {_shown(name): model for name, model in made.get("$defs", {}).items()}
    return {"$schema": DRAFT, "$comment": f"agentguard {kind} file", **_plain(made, models)}


def modeline(where: str) -> str:
    """Return the first line of a file that tells yaml-language-server where its schema is."""
    return f"# yaml-language-server: $schema={where}"


def _plain(part: Any, models: dict[str, Any]) -> Any:
    """Return a schema with the names of draft 7, without nulls and defaults, and with one line for each key.

    Editors show titles, too, and the line of a model rather than the line of the key under which it stands.
    """
    if isinstance(part, list):
        return [_plain(item, models) for item in part]
    if isinstance(part, str):
        return f"#/definitions/{_shown(part)}" if part.startswith("#/$defs/") else part
    if not isinstance(part, dict):
        return part
    found: dict[str, Any] = {}
    for key, item in part.items():
        if key == "$defs":
            found["definitions"] = {_shown(name): _plain(inner, models) for name, inner in item.items()}
        elif key in ("properties", "patternProperties"):
            found[key] = {name: _plain(inner, models) for name, inner in item.items()}
        elif key == "anyOf":
            choices = [_plain(choice, models) for choice in item if choice != {"type": "null"}]
            found |= choices[0] if len(choices) == 1 else {key: choices}
        elif key not in ("title", "default"):
            found[key] = _plain(item, models)
    if "description" in part:
        found["description"] = part["description"]
        for choice in found.get("anyOf", ()):
            choice.pop("description", None)
        if "$ref" in found:  # beside a reference draft 7 ignores everything else
            model = models[found.pop("$ref").rpartition("/")[2]]
            found = {**_plain(model, models), **found}
    return found


def _shown(model: str) -> str:
    """Return the name of a model as editors offer it: `route` for `#/$defs/RouteModel`."""
    return model.rpartition("/")[2].removesuffix("Model").lower()
