"""What is at rest beside the log so that others can check it: the tree's tiles, checkpoints, cosignatures, tombstones.

They can all be made again from the log but the signatures; nothing that is decided rests on them.
"""

from __future__ import annotations

from sqlalchemy import Index, Integer, LargeBinary

from agentguard.store.tables import TYPED, WITHOUT_HIDDEN_KEY, Row, Whole, Words, column


class TileRow(Row, table=True):
    """256 neighbouring hashes of one level of the tree, and the root that they come to; only whole tiles are kept.

    Level 0 has the leaves of entries 256 n + 1 to 256 n + 256, level 1 the roots of 256 tiles of level 0, and so on.
    """

    __tablename__ = "agentguard_tile"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    level: int = column(Integer, key=True)
    n: int = column(Whole, key=True)
    root: bytes = column(LargeBinary)
    hashes: bytes = column(LargeBinary)


class PromiseRow(Row, table=True):
    """A size and its root that may be signed from now on: no other root of this size ever will be, crash or not."""

    __tablename__ = "agentguard_promise"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    origin: str = column(Words, key=True)
    size: int = column(Whole, key=True)
    root: bytes = column(LargeBinary)
    at_us: int = column(Whole)


class CheckpointRow(Row, table=True):
    """A signed statement of the log's size and root; `note` is the signed note, `origin` the log and its restores."""

    __tablename__ = "agentguard_checkpoint"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    origin: str = column(Words, key=True)
    size: int = column(Whole, key=True)
    note: str = column(Words)
    at_us: int = column(Whole)


class CosignatureRow(Row, table=True):
    """What a witness signed under a checkpoint; `line` is the signature line of the note."""

    __tablename__ = "agentguard_cosignature"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    origin: str = column(Words, key=True)
    size: int = column(Whole, key=True)
    witness: str = column(Words, key=True)
    line: str = column(Words)
    at_us: int = column(Whole)


class TombstoneRow(Row, table=True):
    """Entries `first` to `last` whose bodies may be taken away, and the position of the entry that says why."""

    __tablename__ = "agentguard_tombstone"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    first: int = column(Whole, key=True)
    last: int = column(Whole)
    entry: int = column(Whole)


class LegalHoldRow(Row, table=True):
    """What must be neither purged nor erased until a person says so; `scope` is JSON, the history is in the entries."""

    __tablename__ = "agentguard_legal_hold"
    __table_args__ = (TYPED,)

    id: str = column(Words, key=True)
    scope: str = column(Words)
    by: str = column(Words)
    why: str = column(Words)
    at_us: int = column(Whole)


class ReviewRow(Row, table=True):
    """A decision that was made without a person and drawn for one to look at afterwards."""

    __tablename__ = "agentguard_review"
    __table_args__ = (
        Index("agentguard_review_waiting", "verdict", "drawn_us"),
        TYPED,
    )

    id: str = column(Words, key=True)
    policy: str = column(Words)
    action_id: str = column(Words)
    entry: int = column(Whole)
    stratum: str = column(Words)
    week: str = column(Words)
    how: str = column(Words)
    verdict: str | None = column(Words, null=True)
    drawn_us: int = column(Whole)


metadata = TileRow.__table__.metadata
"""Every table of the store: this module stands on the one with the others."""
