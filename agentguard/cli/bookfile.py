"""A payment provider's export as CSV: which columns say what, and every line that cannot be read with its number."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from agentguard.core.language.suggest import did_you_mean
from agentguard.core.money import BOUNDS, Money
from agentguard.errors import MoneyError, UsageError
from agentguard.store.payments import DONE, NOT_DONE, PENDING, Payment

MOST_PROBLEMS = 50
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "id": ("id", "refund_id", "charge_id", "payment_id", "transaction_id", "balance_transaction_id", "reference"),
        "created": ("created", "created_utc", "created_at", "created_date_utc", "date", "time"),
        "amount": ("amount", "gross", "amount_minor"),
        "currency": ("currency", "amount_currency"),
        "status": ("status", "state"),
        "key": ("key", "metadata_key", "key_metadata", "idempotency_key", "action_id", "metadata_action_id"),
        "intent": ("intent", "metadata_intent", "intent_metadata"),
    }
)
"""What a payment is made of, and how columns are called that say it, without signs and in small letters."""
NEEDED = ("id", "created", "amount", "currency")
UNITS = ("major", "minor")
STATUSES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("", "succeeded", "success", "paid", "completed", "complete", "settled", "captured", "refunded", "available"),
        DONE,
    )
    | dict.fromkeys(("pending", "processing", "requires_action", "in_transit", "authorized", "created"), PENDING)
    | dict.fromkeys(
        ("failed", "failure", "canceled", "cancelled", "declined", "voided", "rejected", "expired", "error"), NOT_DONE
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read.

    Attributes:
        columns: By field, the column that says it; what is left out is found by its name.
        units: Whether amounts are `major` (`40.00`) or `minor` (`4000`).
        where: Only lines whose columns say this.
        negative: What goes out is written below zero.
        statuses: By the file's own word: `done`, `pending` or `not_done`, beside the customary ones.
    """

    units: str
    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    negative: bool = False
    statuses: Mapping[str, str] = field(default_factory=dict)


class BookFile:
    """Reads a file once; after that `sha256` says what it was, and `problems` what could not be read."""

    def __init__(self, path: Path, how: Reading, read_bytes: Callable[[int], None] | None = None) -> None:
        self._path, self._how, self._told = path, how, read_bytes
        self._hash = hashlib.sha256()
        self.problems: list[tuple[int, str]] = []

    @property
    def sha256(self) -> str:
        """The digest of the file as it was read."""
        return self._hash.hexdigest()

    def payments(self) -> Iterator[Payment]:
        """Yield the payments of the file; lines that are none are `problems`, at most 50 of them.

        Raises:
            UsageError: The file cannot be read, is no table, or a column that is needed is not there.
        """
        try:
            with self._path.open("rb") as file:
                yield from self._read(file)
        except UnicodeDecodeError as error:
            raise UsageError(f"expected a file in UTF-8, got `{self._path}`, which is not") from error
        except OSError as error:
            raise UsageError(
                f"expected a file that can be read, got `{self._path}`: {error.strerror or error}"
            ) from error
        except csv.Error as error:
            raise UsageError(f"expected a table as CSV in `{self._path}`: {error}") from error

    def _read(self, file: Iterator[bytes]) -> Iterator[Payment]:
        lines = self._lines(file)
        header = next(lines, "")
        delimiter = max(",;\t", key=header.count)
        names = next(csv.reader([header], delimiter=delimiter), [])
        columns = columns_of(names, self._how.columns)
        for name in self._how.where:
            _known(name, names)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        before = 1
        for row in rows:
            number, before = before + 1, rows.line_num + 1
            if not row:
                continue
            try:
                payment = self._payment(number, row, names, columns)
            except (UsageError, MoneyError) as error:
                self.problems.append((number, str(error)))
                if len(self.problems) >= MOST_PROBLEMS:
                    return
                continue
            if payment is not None:
                yield payment

    def _lines(self, file: Iterator[bytes]) -> Iterator[str]:
        for number, line in enumerate(file):
            self._hash.update(line)
            if self._told is not None:
                self._told(len(line))
            yield line.decode("utf-8-sig" if number == 0 else "utf-8")

    def _payment(
        self, number: int, row: Sequence[str], names: Sequence[str], columns: Mapping[str, int]
    ) -> Payment | None:
        if len(row) != len(names):
            raise UsageError(f"expected {len(names)} columns as in the first line, got {len(row)}")
        said = {name: row[place].strip() for name, place in columns.items()}
        if any(row[names.index(name)].strip() != value for name, value in self._how.where.items()):
            return None
        if not said["id"]:
            raise UsageError("expected the provider's id of the payment, got nothing")
        currency = said["currency"].upper()
        return Payment(
            line=number,
            id=said["id"],
            at=_moment(said["created"]),
            currency=currency,
            amount=self._amount(said["amount"], currency),
            status=self._status(said.get("status", "")),
            key=said.get("key", ""),
            intent=said.get("intent", ""),
        )

    def _amount(self, text: str, currency: str) -> int:
        """Return an amount in minor units, exactly as it is written."""
        if self._how.units == "minor":
            if currency not in BOUNDS:
                raise UsageError(f"expected a currency like `USD`, got `{currency[:20]}`")
            if not re.fullmatch(r"-?[0-9]{1,18}", text):
                raise UsageError(
                    f"expected an amount in minor units like `4000`, got `{text[:40]}`; is it --units major?"
                )
            minor = int(text)
        else:
            minor = Money.of(text, currency).minor
        minor = -minor if self._how.negative else minor
        if minor <= 0:
            remedy = "leave out --negative" if self._how.negative else "say --negative if that is how it goes out"
            raise UsageError(f"expected an amount that goes out, got `{text[:40]}`; {remedy}, or narrow with --where")
        return minor

    def _status(self, word: str) -> str:
        known = {**STATUSES, **self._how.statuses}
        found = known.get(word.lower())
        if found is None:
            raise UsageError(f"unknown status `{word[:40]}`; say what it means with `--status {word[:40]}={DONE}`")
        return found


def columns_of(names: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    """Return by field where its column is, as it was given or as its name tells.

    Raises:
        UsageError: A column that was given or is needed is not there, or two of them could be meant.
    """
    plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names]
    columns: dict[str, int] = {}
    for wanted, customary in FIELDS.items():
        if wanted in given:
            columns[wanted] = _known(given[wanted], names)
            continue
        found = next((plain.index(name) for name in customary if name in plain), None)
        if found is not None:
            columns[wanted] = found
        elif wanted in NEEDED:
            shown = ", ".join(f"`{name}`" for name in names[:20]) or "nothing"
            raise UsageError(f"no column says `{wanted}`; name it with `--columns {wanted}=NAME`, from {shown}")
    return columns


def _known(name: str, names: Sequence[str]) -> int:
    if names.count(name) != 1:
        found = "two of them" if name in names else f"none{did_you_mean(name, list(names))}"
        raise UsageError(f"expected one column `{name}` in the first line, got {found}")
    return names.index(name)


def _moment(text: str) -> datetime:
    """Return when a payment was made; what names no zone is UTC, as providers' exports are."""
    try:
        if re.fullmatch(r"[0-9]{9,11}", text):
            return datetime.fromtimestamp(int(text), UTC)
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"expected a time like `2026-11-22 09:30:00` or seconds since 1970, got `{text[:40]}`"
        ) from error
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
