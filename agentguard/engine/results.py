"""What a tool returned, kept beside its action for a repeated key: bounded, and encrypted under the customer's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, ValidationError

from agentguard.core.digest import digest
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Tool
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import StoreError
from agentguard.log import get_logger
from agentguard.store.records import Sealed

log = get_logger("results")

MAX_RESULT_BYTES = 65_536
FIELD = "result"


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A result as it is stored: its sealed bytes and the digest of them, or neither if it cannot be kept.

    Attributes:
        nothing: The tool returned None: there is nothing to keep, and nothing is lost.
    """

    sealed: bytes | None = None
    digest: str | None = None
    nothing: bool = False

    @property
    def kept(self) -> bool:
        """True if a repeated key gets the result again."""
        return self.nothing or self.sealed is not None


def keep_result(parts: Parts, begun: Undertaking, result: Any) -> KeptResult:
    """Return a result as it can be stored; one that cannot be written as JSON, or is too large, is not kept."""
    if result is None:
        return KeptResult(nothing=True)
    try:
        written = begun.tool.results.dump_json(result, warnings="error")
    except Exception as error:  # noqa: BLE001 - it is done, whatever its result is; serializers run any code
        log.warning("result.not_kept", action=begun.request.action, error=type(error).__name__)
        return KeptResult()
    if len(written) > MAX_RESULT_BYTES:
        log.warning("result.not_kept", action=begun.request.action, error="too_large", size=len(written))
        return KeptResult()
    try:
        sealed = parts.vault.seal(begun.pseudonym, FIELD, written, begun.action_id).packed
    except StoreError as error:
        # A traceback would show every local name, and personal data with them.
        log.error("result.not_kept", action=begun.request.action, error=error.code)  # noqa: TRY400
        return KeptResult()
    return KeptResult(sealed, digest(sealed))


def read_result(parts: Parts, tool: Tool | None, packed: bytes | None, action_id: str) -> Any:
    """Return a kept result, or None where none was kept, its key was destroyed, or its type has changed since."""
    if packed is None or tool is None:
        return None
    written = parts.vault.open_sealed(Sealed.unpack(packed), FIELD, action_id)
    if written is None:
        return None
    try:
        return tool.results.validate_json(written)
    except (ValidationError, PydanticSchemaGenerationError, PydanticUserError) as error:
        log.warning("result.not_read", action=tool.action, error=type(error).__name__)
        return None
