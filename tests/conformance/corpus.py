"""The probes, as they stand in the files beside this one."""

from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).parent
POLICY = HERE / "payments.yaml"
PEOPLE = HERE / "people.yaml"


def probes(name):
    return YAML(typ="safe", pure=True).load(HERE / f"{name}.yaml")


def named(probe):
    return probe["name"].replace(" ", "-")
