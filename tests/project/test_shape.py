"""The shape of the code that no linter holds: sizes, names of modules, docstrings, a core without side effects."""

import ast
import re

import pytest

from tests.project.tree import PACKAGE, Function, files, modules, nodes, parsed, shown

MODULES = modules()
DRAWERS = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
IMPURE = {"open", "print", "input", "hash", "id", "breakpoint", "exec"}
# Generated code has to be made executable somewhere; nowhere else.
MAY_EXECUTE = {"agentguard/core/language/compile.py"}
# What an auditor carries to a machine without agentguard is one file.
LONGEST = {"agentguard/evidence/verify.py": 560}
MAY_COMPARE_LIKENESS = {"agentguard/core/language/suggest.py"}
# Written so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile(rb"/w[o]rk/|/f[a]rm/|/t[m]p/[a-z]+/|/r[o]ot/|/h[o]me/[a-z]+/")


def test_no_module_is_longer_than_400_lines():
    lines = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: number for name, number in lines.items() if number > LONGEST.get(name, 400)} == {}


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, Function) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def test_every_module_and_everything_public_has_a_docstring():
    def undocumented(node, prefix):
        named = [child for child in node.body if isinstance(child, ast.ClassDef | Function)]
        for child in named:
            if not child.name.startswith("_"):
                overload = any(ast.unparse(mark).endswith("overload") for mark in child.decorator_list)
                if not ast.get_docstring(child) and not overload:
                    yield f"{prefix}{child.name}"
                if isinstance(child, ast.ClassDef):
                    yield from undocumented(child, f"{prefix}{child.name}.")

    assert [shown(path) for path in MODULES if not ast.get_docstring(parsed(path))] == []
    assert [name for path in MODULES for name in undocumented(parsed(path), f"{shown(path)}: ")] == []


def test_no_module_is_a_drawer():
    named = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts}
    assert named & DRAWERS == set()


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in MODULES}
    assert [shown(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_every_error_is_named_error_and_has_a_stable_code_of_its_own():
    from agentguard import errors

    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(kind.__name__.endswith("Error") for kind in found)
    assert all(issubclass(kind, errors.AgentGuardError) for kind in found)
    codes = [kind.code for kind in found]
    assert sorted(codes) == sorted(set(codes))
    for kind in found:
        assert kind.__name__ in errors.__doc__ or kind is errors.AgentGuardError, f"{kind} is not in the drawn tree"


@pytest.mark.law(1)
def test_the_core_calls_nothing_that_looks_outside():
    found = [
        f"{shown(path)}:{node.lineno} {node.func.id}"
        for path in MODULES
        if PACKAGE / "core" in path.parents
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE
        if not (node.func.id == "exec" and shown(path) in MAY_EXECUTE)
    ]
    assert found == []


def test_no_file_speaks_of_the_machine_it_was_written_on():
    found = [
        f"{shown(path)}: {match[0].decode()}" for path in files() for match in MACHINE_PATHS.finditer(path.read_bytes())
    ]
    assert found == []


def test_no_floating_point_literal_stands_in_the_core():
    found = [
        f"{shown(path)}:{node.lineno} {node.value}"
        for path in MODULES
        if PACKAGE / "core" in path.parents and shown(path) not in MAY_COMPARE_LIKENESS
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    assert found == []
