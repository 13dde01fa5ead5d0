"""The only place that knows SQL: actions, accounts, the audit log, and the vault of keys beside it."""

from agentguard.store.database import Store
from agentguard.store.reading import Reading
from agentguard.store.transaction import Transaction
from agentguard.store.vault import Vault

__all__ = ["Reading", "Store", "Transaction", "Vault"]
