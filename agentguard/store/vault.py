"""The keys that personal values and guessable ones are kept under, in a file of their own beside the log's database.

Destroying a customer's key erases the customer everywhere the log names them, while the log still verifies. The vault
never sees the log, and the log's database never sees a key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agentguard.core.digest import canonical_bytes, keyed_digest, keyed_digests
from agentguard.errors import StoreUnavailableError, TamperedError, UsageError
from agentguard.store.address import keys_file
from agentguard.store.keyfile import KeyFile
from agentguard.store.records import Sealed

MASTER_KEY = "AGENTGUARD_MASTER_KEY"
RandomBytes = Callable[[int], bytes]
Monotonic = Callable[[], float]
"""Seconds that never go backwards."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_MOST_CACHED = 4096
_TRUST_SECONDS = 1.0
"""How long what is remembered is written with without another look at the file.

What another process erases is never opened here any more; what is sealed here within this second is erased with it.
"""


class Vault:
    """The keys file, open: pseudonyms, sealed values and the secret of keyed digests.

    Safe to share between threads; several processes may open the same file.

    Attributes:
        secret: What keyed digests of accounts and remembered values are made with; `keyed` makes them, and `account`
            remembers the latest ones, since accounts come again.
        draw: Makes the keyed digests by which decisions are drawn for a review.
        fingerprint: Tells this vault from every other without telling anything about it.
    """

    def __init__(
        self, file: KeyFile, random_bytes: RandomBytes, master_key: bytes | None, monotonic: Monotonic | None = None
    ) -> None:
        self._file = file
        self._monotonic = monotonic
        self._random_bytes = random_bytes
        self._keys: dict[str, tuple[str, AESGCM]] = {}
        self._current: dict[str, tuple[str, AESGCM]] = {}
        self._named: dict[tuple[str, str], str] = {}
        self._trusted_until = 0.0
        with file.writing():
            self._master = self._found_master(master_key)
            root = self._found_root()
        self.secret = hmac.digest(root, b"keyed digests", "sha256")
        self.keyed = keyed_digests(self.secret)
        self.account = lru_cache(_MOST_CACHED)(self.keyed)
        self.draw = keyed_digests(hmac.digest(root, b"review draws", "sha256"))
        self._pseudonyms = hmac.digest(root, b"pseudonyms", "sha256")
        self.fingerprint = keyed_digest(root, "fingerprint")

    @classmethod
    def open(
        cls,
        location: str | Path | None,
        random_bytes: RandomBytes,
        environment: Mapping[str, str] = os.environ,
        monotonic: Monotonic | None = None,
    ) -> Vault:
        """Open a keys file, or make it, readable by its owner alone.

        Args:
            location: The file; None for a vault in memory.
            random_bytes: Draws unpredictable bytes.
            environment: Where `AGENTGUARD_MASTER_KEY` (32 bytes as base64) is looked for; without it the master key is
                drawn and kept in the file, which then is all that anybody needs.
            monotonic: Measures how long what is remembered may be used before another look at the file; without it
                every use looks.

        Raises:
            StoreUnavailableError: The file cannot be opened, others may read it, or it needs another master key.
            UsageError: The master key is not 32 bytes as base64.
        """
        master_key = _master_key(environment)
        file = KeyFile(None if location is None else Path(location))
        try:
            return cls(file, random_bytes, master_key, monotonic)
        except BaseException:
            file.close()
            raise

    @classmethod
    def beside(
        cls,
        store_url: str,
        random_bytes: RandomBytes,
        environment: Mapping[str, str] = os.environ,
        monotonic: Monotonic | None = None,
    ) -> Vault:
        """Open the keys file of a database where `keys_file` says it is; in memory for one in memory."""
        return cls.open(keys_file(store_url, environment), random_bytes, environment, monotonic)

    def close(self) -> None:
        """Close the file and forget the keys."""
        self._forget()
        self._file.close()

    def pseudonym(self, tenant: str, customer: str) -> str:
        """Return what a customer is called in the log, and remember who that is until they are erased.

        Nobody (an empty text) has no pseudonym and stays empty.
        """
        if not customer:
            return ""
        known = self._named.get((tenant, customer))
        if known is not None and self._is_trusted():
            return known
        with self._file.alone():
            self._forget_if_changed()
            name = self._named.get((tenant, customer))
            if name is None:
                self._make_room()
                name = self.name_of(tenant, customer)
                if self._file.customer(name) is None:
                    with self._file.writing():  # the key that it is sealed with is drawn in the same transaction
                        self._file.store_customer(name, self.seal(name, "customer", customer.encode(), "").packed)
                self._named[tenant, customer] = name
        return name

    def knows(self, tenant: str, customer: str) -> bool:
        """Return whether this process has met a customer, so that `pseudonym` need not write the file."""
        return not customer or (tenant, customer) in self._named

    def name_of(self, tenant: str, customer: str) -> str:
        """Return what a customer would be called in the log, without remembering anything."""
        return "p_" + keyed_digest(self._pseudonyms, canonical_bytes([tenant, customer]).decode())[:32]

    def customer_of(self, pseudonym: str) -> str | None:
        """Return the customer behind a pseudonym, or None if they were erased or never seen."""
        packed = self._file.customer(pseudonym)
        if packed is None:
            return None
        plain = self.open_sealed(Sealed.unpack(packed), "customer", "")
        return None if plain is None else plain.decode()

    def seal(self, subject: str, field: str, plaintext: bytes, associated: str) -> Sealed:
        """Encrypt a value under its subject's key.

        Args:
            subject: The pseudonym of the person it is about; empty for nobody.
            field: What the value is (`customer.email`).
            plaintext: The value.
            associated: Where it stands (the action's id); it opens nowhere else.
        """
        key_id, key = self._key_of(subject)
        nonce = self._random_bytes(_NONCE_BYTES)
        return Sealed(key_id, nonce, key.encrypt(nonce, plaintext, _bound(subject, field, associated)))

    def open_sealed(self, sealed: Sealed, field: str, associated: str) -> bytes | None:
        """Return a sealed value, or None if its subject's key was destroyed.

        Raises:
            TamperedError: It was changed, or it stood somewhere else.
            StoreUnavailableError: The keys file never had its key.
        """
        found = self._key(sealed.kid)
        if found is None:
            return None
        subject, key = found
        try:
            return key.decrypt(sealed.nonce, sealed.ciphertext, _bound(subject, field, associated))
        except InvalidTag as error:
            raise TamperedError(
                f"expected the sealed `{field}` as it was stored, got other bytes or another place"
            ) from error

    def erase(self, pseudonym: str) -> bool:
        """Destroy a person's keys and the way back from the pseudonym; False if there was nothing."""
        with self._file.alone():
            self._forget()
            return self._file.destroy(pseudonym)

    def _key_of(self, subject: str) -> tuple[str, AESGCM]:
        known = self._current.get(subject)
        if known is not None and self._is_trusted():
            return known
        with self._file.alone():
            self._forget_if_changed()
            current = self._current.get(subject)
            if current is None:
                self._make_room()
                with self._file.writing():
                    key_id = self._file.current_key(subject) or self._new_key(subject)
                    current = key_id, self._unwrapped_key(key_id)[1]
                self._current[subject] = current
            return current

    def _new_key(self, subject: str) -> str:
        key_id = self._random_bytes(16).hex()
        nonce = self._random_bytes(_NONCE_BYTES)
        wrapped = AESGCM(self._master).encrypt(nonce, self._random_bytes(_KEY_BYTES), _bound(subject, "key", key_id))
        self._file.store_key(key_id, subject, nonce + wrapped)
        return key_id

    def _key(self, key_id: str) -> tuple[str, AESGCM] | None:
        with self._file.alone():
            self._forget_if_changed()
            if key_id not in self._keys:
                if self._file.was_destroyed(key_id):
                    return None
                self._make_room()
                self._keys[key_id] = self._unwrapped_key(key_id)
            return self._keys[key_id]

    def _unwrapped_key(self, key_id: str) -> tuple[str, AESGCM]:
        row = self._file.key(key_id)
        if row is None:
            raise StoreUnavailableError(
                f"expected key `{key_id}` in {self._file}, got none, and it was not destroyed; restore the keys file"
            )
        subject, wrapped = row
        return subject, AESGCM(self._unwrap(wrapped, _bound(subject, "key", key_id)))

    def _is_trusted(self) -> bool:
        return self._monotonic is not None and self._monotonic() < self._trusted_until

    def _forget_if_changed(self) -> None:
        if self._file.changed_elsewhere():
            self._forget()
        if self._monotonic is not None:
            self._trusted_until = self._monotonic() + _TRUST_SECONDS

    def _make_room(self) -> None:
        if max(len(self._keys), len(self._current), len(self._named)) >= _MOST_CACHED:
            self._forget()

    def _forget(self) -> None:
        self._keys, self._current, self._named = {}, {}, {}
        self.account.cache_clear()

    def _unwrap(self, wrapped: bytes, bound: bytes) -> bytes:
        try:
            return AESGCM(self._master).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], bound)
        except InvalidTag as error:
            raise StoreUnavailableError(
                f"expected {self._file} to open with this master key, got another one; set `{MASTER_KEY}` to the key "
                f"that it was made with"
            ) from error

    def _found_master(self, given: bytes | None) -> bytes:
        kept = self._file.setting("master")
        if kept is not None:
            if given is not None and not hmac.compare_digest(given, kept):
                raise StoreUnavailableError(
                    f"expected no other master key than the one in {self._file}, got another one; unset `{MASTER_KEY}`"
                )
            return kept
        if given is not None:
            return given
        if self._file.setting("root") is not None:
            raise StoreUnavailableError(f"expected `{MASTER_KEY}` to open {self._file}, got none; set it")
        master = self._random_bytes(_KEY_BYTES)
        self._file.store_setting("master", master)
        return master

    def _found_root(self) -> bytes:
        wrapped = self._file.setting("root")
        if wrapped is not None:
            return self._unwrap(wrapped, b"root")
        root, nonce = self._random_bytes(_KEY_BYTES), self._random_bytes(_NONCE_BYTES)
        self._file.store_setting("root", nonce + AESGCM(self._master).encrypt(nonce, root, b"root"))
        return root


def _bound(subject: str, field: str, associated: str) -> bytes:
    return canonical_bytes([subject, field, associated])


def _master_key(environment: Mapping[str, str]) -> bytes | None:
    text = environment.get(MASTER_KEY)
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise UsageError(f"expected {_KEY_BYTES} bytes as base64 in `{MASTER_KEY}`, got something else; draw a new one")
    return key
