"""Reading outside of transactions: what a lost connection did not answer is asked again over another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from interaqt.drivers.pipeline import PipelinedSession
from interaqt.storage.database import Executor, Result, Row

if TYPE_CHECKING:
    from interaqt.drivers.pool import PooledDatabase

__all__ = ["PooledReader"]

S = TypeVar("S", bound=PipelinedSession)

#: How often a statement is tried at most.
ATTEMPTS = 5


class PooledReader(Generic[S]):
    """Statements over one connection of a pool, or over the next one where the server ended it.

    Only a SELECT is run again: of what writes nobody knows whether it was done. A stream of which
    rows were taken already is not started anew.
    """

    __slots__ = ("_database", "_inner", "_session")

    def __init__(self, database: PooledDatabase[S]) -> None:
        self._database = database
        self._begin()

    def _begin(self) -> None:
        self._session: S | None = None
        self._session = self._database._take()
        self._inner: Executor = self._database._reader(self._session)

    def execute(self, sql: str, values: Sequence[object]) -> Result:
        again = ATTEMPTS - 1 if sql.startswith("SELECT") else 0
        while True:
            try:
                return self._inner.execute(sql, values)
            except Exception as error:
                if not again or not self._database.is_retryable(error):
                    raise
            again -= 1
            self.end()
            self._begin()

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        return self._inner.execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[object], size: int = 1000) -> Iterator[Row]:
        return self._inner.stream(sql, values, size)

    def end(self) -> None:
        """Give the connection back."""
        session, self._session = self._session, None
        if session is not None:
            self._database._give(session)
