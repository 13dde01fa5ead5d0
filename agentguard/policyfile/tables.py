"""Tables as a file writes them: mappings of equal depth that end in values of one type."""

from __future__ import annotations

from agentguard.core.language import parse_table
from agentguard.core.language.table import Written
from agentguard.core.policy import Place
from agentguard.errors import LanguageError
from agentguard.policyfile import bounds
from agentguard.policyfile.model import PolicyModel
from agentguard.policyfile.node import Mapping, Scalar, shape, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.spelling import simple_name

MAX_LEVELS = 4


def read_tables(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Read the tables of a file into the outline."""
    section = model.node.section("tables")
    for name, node in section.items.items():
        if simple_name(section.keys[name], problems, "the name of a table") is None or not isinstance(node, Mapping):
            problems.broken.add(("tables", name))
            continue
        cells: list[Scalar] = []
        depths: set[int] = set()
        written = _written(name, node, 1, cells, depths, problems)
        if written is None:
            problems.broken.add(("tables", name))
            continue
        try:
            outline.tables[name] = parse_table(name, written)
        except LanguageError as error:
            problems.broken.add(("tables", name))
            for _, code, message in error.problems:
                problems.add(_odd_one(cells, node, message), code, message)


def _written(
    name: str, node: Mapping, level: int, cells: list[Scalar], depths: set[int], problems: Problems
) -> Written | None:
    """Return a table's texts, or None after its problem was told at the entry that is wrong."""
    found: dict[str, Written | str] = {}
    if not node.items:
        problems.add(node.place, "table_uneven", f"table `{name}`: expected at least one entry, got none")
        return None
    for key, item in node.items.items():
        inner: Written | str | None = None
        if isinstance(item, Scalar) and (item.text or item.style):
            inner = _cell(name, item, level, cells, depths, problems)
        elif isinstance(item, Mapping) and level < MAX_LEVELS:
            inner = _written(name, item, level + 1, cells, depths, problems)
        else:
            message = f"table `{name}`: `{shortened(key)}` must be a value or another level, got {shape(item)}"
            problems.add(item.place, "table_uneven", message)
        if inner is None:
            return None
        found[key] = inner
    return found


def _cell(name: str, item: Scalar, level: int, cells: list[Scalar], depths: set[int], problems: Problems) -> str | None:
    depths.add(level)
    cells.append(item)
    if len(depths) > 1:
        message = f"table `{name}`: every entry must nest equally deep, got `{shortened(item.text)}` at another level"
        problems.add(item.place, "table_uneven", message)
        return None
    if len(cells) > bounds.TABLE_CELLS:
        message = f"table `{name}` has at most {bounds.TABLE_CELLS:,} entries"
        problems.add(item.place, "too_many", message)
        return None
    return item.text


def _odd_one(cells: list[Scalar], node: Mapping, message: str) -> Place:
    """Return the place of the entry that a message is about."""
    return next((cell.place for cell in cells if f"and `{cell.text[:40]}`" in message), node.place)
