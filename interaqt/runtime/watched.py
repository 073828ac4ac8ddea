"""A transaction that is watched: it tells whether anything was read through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from interaqt.storage.database import Result, Transaction

__all__ = ["Watched"]


class Watched:
    """A transaction that tells whether anything was read through it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.read = False

    @property
    def failure(self) -> BaseException | None:
        return self._transaction.failure

    def flush(self) -> None:
        self._transaction.flush()

    @property
    def execute(self) -> Callable[[str, Sequence[Any]], Result]:
        self.read = True
        return self._transaction.execute

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        self.read = True
        return self._transaction.execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Any]:
        self.read = True
        return self._transaction.stream(sql, values, size)

    def commit(self) -> None:
        raise AssertionError("callbacks do not end the transaction")

    def rollback(self) -> None:
        raise AssertionError("callbacks do not end the transaction")
