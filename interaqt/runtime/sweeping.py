"""Sweeping: what is kept no longer is deleted, a batch at a time, each in a short transaction of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from interaqt.core.errors import InvalidValue
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of
from interaqt.runtime.ledger import Ledger
from interaqt.runtime.run import Run
from interaqt.runtime.transaction import Transactions

__all__ = ["Sweeper"]

_NUMBER = ValueType(Kind.INT)

#: Removes one batch in a run, given the time and the size; answers how many there were.
Sweep = Callable[[Run, dt.datetime, int], int]


class Sweeper:
    """Knows all that is to be swept of one controller."""

    def __init__(self, transactions: Transactions, ledger: Callable[[], Ledger]) -> None:
        self._transactions = transactions
        self._sweeps: dict[str, Sweep] = {}
        requests = ledger()
        self._sweeps[requests.record.name] = lambda run, now, batch: requests.sweep(run.tx, now, batch)

    def sweep(self, batch: int, batches: int | None) -> dict[str, int]:
        """Sweep all; answers how many records of each kind went, of those of which any did."""
        for name, value in (("batch", batch), ("batches", batches or 1)):
            if check_of(_NUMBER)(value) is not None or value < 1:
                raise InvalidValue(f"{name}= takes a number from 1 on, not {value!r}", code=f"sweep.{name}")
        now = dt.datetime.now(dt.UTC)
        found: dict[str, int] = {}
        for name, sweep in self._sweeps.items():
            total = self._swept(name, sweep, now, batch, batches)
            if total:
                found[name] = total
        return found

    def _swept(self, name: str, sweep: Sweep, now: dt.datetime, batch: int, batches: int | None) -> int:
        total = times = 0
        while batches is None or times < batches:
            gone = self._transactions.run(lambda run: sweep(run, now, batch), f"sweep {name}")
            total, times = total + gone, times + 1
            if gone < batch:
                break
        return total
