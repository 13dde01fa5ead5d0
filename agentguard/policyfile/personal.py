"""Lint for values that look personal by their names and are not marked: in the log they would stand in the clear.

A heuristic over names; what is marked `personal` is sealed under the customer's key, and can be erased.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentguard.core.language import Declared, Text
from agentguard.core.language.types import Date
from agentguard.core.policy import Place, Policy
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read

_WORD = re.compile(
    r"e?mail|phone|mobile|telephone|fax|iban|bic|birthday|birthdate|dob|address|street|postcode|zip|passport|ssn|"
    r"surname|firstname|lastname|fullname|signature"
)
_PAIRS = re.compile(
    r"(first|last|full|family|given|maiden|customer|holder|card|account|recipient|contact)_name|date_of_birth|"
    r"birth_date|bank_account|card_number|tax_id|postal_code|social_security|id_number"
)


def looks_personal(name: str) -> bool:
    """Return whether a name is one that personal values usually have: `customer.email`, `contact_phone`."""
    last = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()
    whole = name.lower().replace(".", "_")
    alone = any(_WORD.fullmatch(word) for word in last.split("_"))
    return alone or _PAIRS.search(last) is not None or _PAIRS.search(whole) is not None


def check_personal(policy: Policy) -> Iterator[tuple[Place, str, str]]:
    """Yield what looks personal and is not marked."""
    root = None
    for section, inner, name, declared in _declared(policy):
        if declared.personal or declared.computed is not None or not looks_personal(name):
            continue
        if not isinstance(declared.type, Text | Date):
            continue
        root = root or read(policy.text, Problems(policy.file))
        found = None if root is None else root.section(section)
        found = found.section(inner) if found is not None and inner else found
        key = None if found is None else found.keys.get(name.removeprefix("context."))
        place = Place(policy.file, 1, 1) if key is None else key.place
        message = f"`{name}` looks personal and would stand in the log in the clear: write `{declared.type}, personal`"
        yield place, "personal_unmarked", message


def _declared(policy: Policy) -> Iterator[tuple[str, str, str, Declared]]:
    """Yield everything that a file declares: its section, the action where it is an argument, its name, its type."""
    for action, spec in policy.actions.items():
        yield from (("actions", action, name, declared) for name, declared in spec.arguments.items())
    yield from (("facts", "", name, declared) for name, declared in policy.facts.items())
    yield from (("context", "", name, declared) for name, declared in policy.context.items())
