"""Sweeping: what is kept no longer is deleted, a batch at a time, each in a short transaction of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interaqt.core.errors import InvalidValue
from interaqt.core.expressions import BOOL, Attr, Op, Param, Root
from interaqt.core.retention import RetentionModel
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of
from interaqt.runtime.ledger import Ledger
from interaqt.runtime.run import Run
from interaqt.runtime.transaction import Transactions
from interaqt.storage.prepared import KEY, Prepared, Reader

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Sweeper"]

_NUMBER = ValueType(Kind.INT)

#: Removes one batch in a run, given the time and the size; answers how many there were.
Sweep = Callable[[Run, dt.datetime, int], int]


class Sweeper:
    """Knows all that is to be swept of one controller."""

    def __init__(self, transactions: Transactions, ledger: Callable[[], Ledger]) -> None:
        self._transactions = transactions
        self._sweeps: dict[str, Sweep] = {}
        for record in transactions.planner.model.records.values():
            if record.retention is not None:
                self._sweeps[record.name] = _Expired(transactions.planner, record.retention)
        requests = ledger()
        self._sweeps[requests.record.name] = lambda run, now, batch: requests.sweep(run.tx, now, batch)

    def sweep(self, batch: int, batches: int | None) -> dict[str, int]:
        """Sweep all; answers how many records of each kind went, of those of which any did."""
        for name, value in (("batch", batch), ("batches", batches or 1)):
            if check_of(_NUMBER)(value) is not None or value < 1:
                raise InvalidValue(f"{name}= takes a number from 1 on, not {value!r}", code=f"sweep.{name}")
        now = self._transactions.storage.clock()
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


_ROOT = "kept"


class _Expired:
    """Deletes the records of one kind that are kept no longer."""

    def __init__(self, planner: Planner, retention: RetentionModel) -> None:
        self._retention = retention
        self._record = retention.record
        self._convert = planner.schema.dialect.from_db(retention.record.key.type)
        self._find = self._finding(planner)
        self._memory = planner.memory(retention.record)
        told = () if self._memory is None else planner.attributes(retention.record, self._memory.names)
        self._delete = planner.statements.delete_rows(retention.record, told)
        self._told = Reader(planner.schema, told)

    def _finding(self, planner: Planner) -> Prepared:
        retention, by = self._retention, self._retention.by
        if retention.keep is not None:
            return planner.statements.surplus(self._record, retention.keep, by, retention.per)
        known = by.type.optional(False)
        is_old = Op("lt", (Attr(Root(_ROOT, self._record), by.name, known), Param("before", known)), BOOL)
        return planner.statements.some(self._record, _ROOT, is_old)

    def __call__(self, run: Run, now: dt.datetime, batch: int) -> int:
        given: dict[str, Any] = {"batch": batch}
        if self._retention.older_than is not None:
            given["before"] = now - self._retention.older_than
        rows = self._find.run(run.tx, given).fetchall()
        keys = [key if self._convert is None else self._convert(key) for (key,) in rows]
        if not keys:
            return 0
        if self._retention.computations:
            run.delete(self._record, keys)
            return len(keys)
        if self._memory is not None:
            self._memory.hold(run, keys)
        gone = self._delete.run(run.tx, [{KEY: key} for key in keys])
        if self._memory is not None:
            self._memory.remember(run, map(self._told.image, gone.fetchall()))
        return len(keys)
