"""What a driver promises of its transactions, word by word: ``interaqt.testing`` holds it to each.

A driver says what its database does, no more and no less: "no" is a promise as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from interaqt.core.errors import TransactionCapabilityError, did_you_mean

__all__ = ["Anomaly", "Capability", "Conflict", "RowLock"]

#: What transactions that go on at the same time may do to each other, and no order of one after the other would.
Anomaly = Literal[
    "dirty read", "non-repeatable read", "read skew", "phantom", "lost update", "write skew", "double booking"
]

#: How one transaction keeps rows: from whoever would read them under a lock, or from who would change them.
RowLock = Literal["update", "share"]

#: What ends a transaction, and is nobody's fault.
Conflict = Literal["deadlock", "serialization failure", "lock timeout", "lost connection"]


@attrs.frozen
class Capability:
    """What a driver promises of its transactions."""

    transactions: bool
    """What a transaction did is there after its commit, all of it, and nothing of it after its rollback."""
    isolation: Mapping[str, frozenset[Anomaly]]
    """Levels that can be asked for, weakest first, and which anomalies each lets happen."""
    default: str
    """The level of a transaction that asks for none, as a dispatch does."""
    concurrent_writers: bool
    """False where writers queue up for the whole database."""
    row_locks: frozenset[RowLock]
    """``SELECT ... FOR UPDATE`` and ``FOR SHARE``, as the dialect spells them."""
    savepoints: bool
    """``SAVEPOINT`` and ``ROLLBACK TO SAVEPOINT``, one in another and after an error too."""
    transactional_schema: bool
    """A rollback takes back schema statements, and ``run_ddl`` does all or nothing."""
    read_only_snapshot: bool
    """A transaction that only reads sees one state of the data all along, and no writer waits for it."""
    retried: frozenset[Conflict]
    """What a dispatch is run again after. What isn't there never happens, or is raised as it is."""
    pipeline: bool
    """Statements are sent without waiting for the ones before."""
    returning: bool
    """``UPDATE ... RETURNING`` answers the rows as they have become."""

    def require_transactions(self, driver: str) -> None:
        """Raise where there are none, for nothing can be kept true then."""
        if not self.transactions:
            raise TransactionCapabilityError(
                f"{driver} has no transactions, and each dispatch is one",
                requested="transactions",
                capability=self,
                hint="use a driver whose capability says transactions=True",
            )

    def require_isolation(self, level: str, driver: str) -> None:
        """Raise where the level can't be asked for."""
        if level not in self.isolation:
            raise TransactionCapabilityError(
                f"{driver} offers no isolation level {level!r}",
                requested=level,
                capability=self,
                hint=f"{did_you_mean(level, self.isolation)} Without isolation= it is {self.default}.",
            )
