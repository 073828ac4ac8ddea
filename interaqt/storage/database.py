"""What storage and the runtime need of a database; each driver is one implementation."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import peewee

from interaqt.core.errors import DatabaseError, StorageError

if TYPE_CHECKING:
    from interaqt.storage.capability import Capability
    from interaqt.storage.dialect import Dialect

__all__ = [
    "Database",
    "Executor",
    "Overtaken",
    "Recorder",
    "Result",
    "Row",
    "Transaction",
    "Violation",
    "ended",
]

Row = tuple[Any, ...]


class Result(Protocol):
    """The outcome of one statement. On a pipelined driver, reading it waits for it."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Executor(Protocol):
    """Runs statements whose text is ready, with values bound by position."""

    @property
    def execute(self) -> Callable[[str, Sequence[Any]], Result]: ...
    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """One statement for many rows of values; answers how many rows it touched."""

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        """The rows, ``size`` at a time, in bounded memory."""


def ended(sql: str, values: Sequence[Any] = ()) -> Any:
    """What a transaction that is over runs statements by: its connection may be somebody else's."""
    raise StorageError("the transaction has ended already", code="transaction.ended")


class Transaction(Executor, Protocol):
    """One transaction on one connection. Ends with exactly one ``commit`` or ``rollback``, and then runs nothing."""

    @property
    def failure(self) -> BaseException | None:
        """The error after which it can only be rolled back, whoever took notice of it; None if there is none."""

    def flush(self) -> None:
        """Wait for what was sent, and raise the first error."""

    def commit(self) -> None:
        """Make all of it lasting. Every result can be read after it, from memory."""

    def rollback(self) -> None:
        """Undo all of it and release the connection, whatever state it is in. Raises nothing."""


@attrs.frozen
class Violation:
    """A refused row in the database's terms, as far as its error tells."""

    kind: str
    """``unique``, ``not_null``, ``foreign_key`` or ``check``."""
    constraint: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()


@attrs.define
class Recorder:
    """What was sent to a database while it listened, for tests and for measuring."""

    statements: list[tuple[str, tuple[Any, ...]]] = attrs.field(factory=list)
    """SQL and values, in the order of sending, ``BEGIN`` and ``COMMIT`` included."""
    round_trips: int = 0
    """How often the client waited for an answer over a network; 0 where there is none."""


class Overtaken(Exception):
    """Another transaction was faster, in a way that is no conflict to the database: another attempt heals it."""


class Database(ABC):
    """Connections, transactions and errors of one database."""

    dialect: Dialect
    capability: Capability
    peewee: peewee.Database
    """Builds SQL and schema; it never runs a dispatch's statements."""
    columns_query: str
    """Answers each table of the current schema with each of its columns."""

    _recorders: tuple[Recorder, ...] = ()

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Record the statements of all transactions and reads that start inside; free when off."""
        recorder = Recorder()
        self._recorders = (*self._recorders, recorder)
        try:
            yield recorder
        finally:
            self._recorders = tuple(each for each in self._recorders if each is not recorder)

    @abstractmethod
    def begin(self, isolation: str | None = None, *, read_only: bool = False) -> Transaction:
        """Start a transaction, on a connection of its own until it ends.

        A thread has one open at a time. A read-only one sees one state of the data all along.
        Raises :class:`~interaqt.TransactionCapabilityError` for a level that is not offered.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Executor]:
        """Statements outside any transaction, each seeing what is committed."""

    @abstractmethod
    def run_ddl(self, statements: Sequence[str]) -> None:
        """Run schema statements, all or nothing where the database can."""

    def tables(self) -> dict[str, set[str]]:
        """The existing tables of the current schema, with the names of their columns."""
        found: dict[str, set[str]] = {}
        with self.reading() as connection:
            for table, column in connection.execute(self.columns_query, ()).fetchall():
                found.setdefault(table, set()).add(column)
        return found

    @abstractmethod
    def is_retryable(self, error: BaseException) -> bool:
        """Whether running the transaction again may heal the error."""

    @abstractmethod
    def violation(self, error: BaseException) -> Violation | None:
        """The constraint that the error is about, if it is about one."""

    def told(self, error: BaseException) -> DatabaseError | None:
        """An error of the database's client library in the framework's words; None of any other error."""
        return None

    def limit_waiting(self, tx: Executor, limit: dt.timedelta | None) -> None:  # noqa: B027 - nothing to do
        """Bound how long the next statements wait for another transaction's locks; None is as long as usual.

        By default there is nothing to do: transactions wait for their turn before they begin.
        """

    def limit_duration(self, tx: Executor, limit: dt.timedelta) -> None:  # noqa: B027 - nothing to do
        """Have the server end a transaction that is left alone, or one of whose statements runs, for so long.

        Where a server can't, only its client looks at the clock.
        """

    def timed_out(self, error: BaseException) -> bool:
        """Whether the error is that :meth:`limit_duration` says so."""
        return False

    def gave_up_waiting(self, error: BaseException) -> bool:
        """Whether the error is that :meth:`limit_waiting` says so."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Close every connection. Closing twice is fine."""
