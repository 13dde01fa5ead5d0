"""Following the log for another system: from a position, or from where a named cursor stands; at least once.

The cursor moves when whoever reads says that what was read is out of their hands; whoever dies before that begins
again there, and says the same entries again under the same ids. Whoever follows with a cursor last has it: an older
follower finds out when it moves it, and ends.
"""

from __future__ import annotations

from dataclasses import replace

from agentguard.errors import UsageError
from agentguard.store import Store, Transaction
from agentguard.store.records import CursorRecord, Entry

PREFIX = "stream:"
"""How the cursors of streams begin, beside those of channels."""
MAX_NAME_CHARACTERS = 100
PAGE = 500


class Follower:
    """Reads the log in order, a page at a time.

    Args:
        store: Whose log.
        after: Begin behind this position; where the cursor stands, or at the beginning, if left out.
        cursor: Keeps how far it has come.

    Raises:
        UsageError: The name is none, or the log has no such position.
    """

    def __init__(self, store: Store, *, after: int | None = None, cursor: str | None = None) -> None:
        if cursor is not None and (not 0 < len(cursor) <= MAX_NAME_CHARACTERS or not cursor.isprintable()):
            raise UsageError(f"expected a cursor's name of 1 to {MAX_NAME_CHARACTERS} printable characters")
        self._store = store
        self.log, size = store.read(lambda reading: (reading.log_name(), reading.position()))
        if after is not None and not 0 <= after <= size:
            raise UsageError(f"expected a position from 0 to {size}, how many entries the log has, got {after}")
        self._cursor = None if cursor is None else store.transact(lambda found: _taken(found, cursor, after))
        self.position = after or 0 if self._cursor is None else self._cursor.position

    def page(self) -> tuple[Entry, ...]:
        """Return what comes next, or nothing where nothing is new."""
        return self._store.read(lambda reading: reading.entries(self.position, PAGE))

    def done(self, position: int) -> None:
        """Go on behind an entry: it and all before it are out of the reader's hands.

        Raises:
            UsageError: Somebody else follows with this cursor now.
        """
        self.position = position
        if self._cursor is None:
            return
        moved = replace(self._cursor, position=position)
        before = self._cursor
        if not self._store.transact(lambda transaction: _moved(transaction, before, moved)):
            name = before.name.removeprefix(PREFIX)
            raise UsageError(
                f"somebody else follows with the cursor `{name}` now; give each follower a cursor of its own"
            )
        self._cursor = moved


def _taken(transaction: Transaction, name: str, after: int | None) -> CursorRecord:
    """Take a cursor from whoever had it; `after` puts it elsewhere."""
    found = transaction.cursor(PREFIX + name)
    if found is None:
        begun = CursorRecord(PREFIX + name, after or 0)
        transaction.move_cursor(None, begun)
        return begun
    mine = replace(found, fence=found.fence + 1, position=found.position if after is None else after)
    transaction.move_cursor(found, mine)
    return mine


def _moved(transaction: Transaction, before: CursorRecord, moved: CursorRecord) -> bool:
    """Move a cursor that nobody else has taken since."""
    current = transaction.cursor(before.name)
    return current is not None and current.fence == before.fence and transaction.move_cursor(current, moved)
