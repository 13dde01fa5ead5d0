"""Walks an event along the facts of the published schema and says everything that does not fit."""

import re

from tests.siem import ocsf_facts as facts

SHA_256 = re.compile(r"[0-9a-f]{64}")
SCALARS = {
    "string_t": lambda value: isinstance(value, str) and value != "",
    "integer_t": lambda value: type(value) is int and abs(value) < 2**31,
    "long_t": lambda value: type(value) is int and abs(value) < 2**63,
    "timestamp_t": lambda value: type(value) is int and 1_500_000_000_000 < value < 4_000_000_000_000,
    "boolean_t": lambda value: isinstance(value, bool),
    "file_hash_t": lambda value: isinstance(value, str) and SHA_256.fullmatch(value) is not None,
    "object": lambda value: isinstance(value, dict),
}


def problems(event):
    """Return what of an event the schema does not allow, or asks for in vain."""
    return [*_object(event, "api_activity", "event"), *_whole(event)]


def _object(value, kind, path):
    known = facts.OBJECTS[kind]
    yield from (f"{path}.{name}: {kind} has no such attribute" for name in value.keys() - known.keys())
    required = {name for name, declared in known.items() if declared.endswith("!")}
    yield from (f"{path}.{name}: required" for name in required - value.keys())
    if kind in facts.AT_LEAST_ONE and not facts.AT_LEAST_ONE[kind] & value.keys():
        yield f"{path}: {kind} needs one of {sorted(facts.AT_LEAST_ONE[kind])}"
    for name, item in value.items():
        if name in known:
            yield from _attribute(item, known[name].removesuffix("!"), f"{path}.{name}")
            yield from _meaning(value, kind, name, path)


def _attribute(value, declared, path):
    if declared.endswith("[]"):
        if not isinstance(value, list) or not value:
            yield f"{path}: expected some in an array, got {value!r}"
            return
        for number, item in enumerate(value):
            yield from _attribute(item, declared.removesuffix("[]"), f"{path}[{number}]")
    elif declared in SCALARS:
        if not SCALARS[declared](value):
            yield f"{path}: expected {declared}, got {value!r}"
    elif not isinstance(value, dict):
        yield f"{path}: expected an object {declared}, got {value!r}"
    else:
        yield from _object(value, declared, path)


def _meaning(value, kind, name, path):
    """Yield a number that means nothing, or that the text beside it contradicts."""
    captions = facts.ENUMS.get((kind, name))
    if captions is None:
        return
    if value[name] not in captions:
        yield f"{path}.{name}: {value[name]} means nothing"
    elif captions[value[name]] == "Other":
        if not value.get(facts.SIBLINGS[name]):
            yield f"{path}.{facts.SIBLINGS[name]}: has to say what is meant by {name} 99"
    elif value.get(facts.SIBLINGS[name]) != captions[value[name]]:
        yield f"{path}.{facts.SIBLINGS[name]}: expected {captions[value[name]]!r}"


def _whole(event):
    """Yield where the parts of an event contradict each other."""
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "event.type_uid: is class_uid * 100 + activity_id"
    if event["metadata"]["version"] != facts.VERSION:
        yield f"event.metadata.version: expected {facts.VERSION}"
    announced = set(event["metadata"]["profiles"])
    for profile, attributes in facts.PROFILES.items():
        if attributes & event.keys() and profile not in announced:
            yield f"event.metadata.profiles: {profile} is not announced"
        if profile in announced and not attributes & event.keys():
            yield f"event.metadata.profiles: nothing of {profile} is there"
