"""One PostgreSQL connection as a pipeline of prepared statements, on libpq's own interface.

psycopg's cursors and its pipeline mode cost more per statement in Python than the server takes
to run it: BEGIN, four updates and COMMIT take 340 microseconds statement by statement, 375 in
``connection.pipeline()`` and 80 as they are sent here. Statements are only queued; the one wait
is ``sync``, which a commit or the reading of a result calls for.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import select
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from interaqt.drivers.pipeline import ConnectionLost, PipelinedSession, QueuedResult, unknown
from interaqt.drivers.pool import CANCELLING
from interaqt.storage.database import Recorder, Row

__all__ = ["Session"]

#: A connection keeps this many statements prepared; further ones are parsed at each use.
PREPARED_LIMIT = 4_000


class Session(PipelinedSession):
    """The statements of one connection, which is nobody else's meanwhile."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__()
        self.connection = connection
        # The error is the first since ``start``; the server ignores what follows it.
        self.failed_at: QueuedResult | str | None = None
        """The statement, or the text of the one being prepared, that the error is about."""
        self._pgconn = connection.pgconn
        self._prepared: dict[str, bytes] = {}
        self._pending: list[QueuedResult | str] = []
        self._transformer = Transformer(connection)
        self._cursors = 0
        self._pgconn.nonblocking = 1
        self._readable = _waiter(self._pgconn.socket, write=False)
        self._writable = _waiter(self._pgconn.socket, write=True)

    # -- start and end ---------------------------------------------------------------------

    def start(self, recorders: tuple[Recorder, ...]) -> None:
        self.recorders = recorders
        self.error = self.failed_at = None
        self._pgconn.enter_pipeline_mode()

    def finish(self) -> bool:
        """Leave the pipeline; answers whether the connection is fit for the next user."""
        if self.broken or self._pgconn.status != ConnStatus.OK:
            return False
        try:
            self._pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            return False
        return self._pgconn.transaction_status == TransactionStatus.IDLE

    def alive(self) -> bool:
        """Whether an idle connection is still one: a server that went away has said so on the socket."""
        if self._pgconn.status != ConnStatus.OK:
            return False
        try:
            while self._readable(0):
                self._pgconn.consume_input()
                self._pgconn.is_busy()  # reads notices, and the end of the stream, off the buffer
                if self._pgconn.status != ConnStatus.OK or not self._readable(0):
                    break
        except psycopg.OperationalError:
            return False
        return self._pgconn.status == ConnStatus.OK

    @property
    def interrupted(self) -> bool:
        """Whether its user went away in the middle of an exchange, and not the connection."""
        return self.broken and bool(self._pending)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            if self.interrupted:
                # The server would go on with the statement, and hold what it has locked, until it has to answer.
                self.connection.cancel_safe(timeout=CANCELLING)
        with contextlib.suppress(Exception):
            self.connection.close()

    # -- statements ------------------------------------------------------------------------

    def execute(self, sql: str, values: Sequence[Any] = ()) -> QueuedResult:
        """Queue a statement."""
        form = _FORMS.get
        parameters = [form(type(value), _other)(value) for value in values]
        name = self._prepared.get(sql)
        try:
            if name is None:
                name = self._prepare(sql)
            if name:
                self._pgconn.send_query_prepared(name, parameters)
            else:
                self._pgconn.send_query_params(_numbered(sql), parameters)
        except psycopg.OperationalError as lost:
            self.broken = True
            found = ConnectionLost(str(lost))
            self._abandon(found)
            raise found from lost
        result = QueuedResult(self, sql)
        self._pending.append(result)
        return result

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        """Rows through a cursor of the server's; inside a transaction."""
        self._cursors += 1
        name = f"iq_stream_{self._cursors}"
        self.execute_and_record(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", values)
        fetch = f"FETCH FORWARD {int(size)} FROM {name}"
        try:
            while rows := self.execute_and_record(fetch).fetchall():
                yield from rows
                if len(rows) < size:
                    break
        finally:
            if self.error is None and not self.broken:
                self.execute_and_record(f"CLOSE {name}")

    def _prepare(self, sql: str) -> bytes:
        if len(self._prepared) >= PREPARED_LIMIT or sql.startswith(("DECLARE iq_stream", "FETCH", "CLOSE")):
            return b""
        name = b"iq_%d" % len(self._prepared)
        self._pgconn.send_prepare(name, _numbered(sql))
        self._prepared[sql] = name
        self._pending.append(sql)
        return name

    # -- the end of a transaction ----------------------------------------------------------

    @property
    def failure(self) -> BaseException | None:
        # After ROLLBACK TO SAVEPOINT it has an error, and goes on.
        failed = self.broken or self._pgconn.transaction_status == TransactionStatus.INERROR
        return self.error if failed else None

    def ready_to_commit(self) -> None:
        if self.failure is not None:
            raise self.failure  # the server would answer COMMIT with a rollback, and no error

    def commit(self) -> None:
        result = self.execute_and_record("COMMIT")
        try:
            self.sync()
        except (psycopg.OperationalError, ConnectionLost) as error:
            if self.broken and (isinstance(error, ConnectionLost) or self.failed_at is result):
                raise unknown(error) from error
            if self.failed_at is result and _leaves_open(error):
                raise unknown(error, "the server itself does not know what became of the commit") from error
            raise

    def rollback(self) -> None:
        # Where an error is still on its way, the first ROLLBACK is skipped together with the rest.
        for _ in range(2):
            if self.broken or self._pgconn.transaction_status == TransactionStatus.IDLE:
                break
            with contextlib.suppress(psycopg.Error, ConnectionLost):
                self.execute_and_record("ROLLBACK")
                self.sync()

    # -- waiting ---------------------------------------------------------------------------

    def sync(self) -> None:
        """Send what is queued and wait for all of it: one round trip. Raises the first error."""
        if self.broken:
            raise ConnectionLost("the connection was lost before")
        if not self._pending:
            return
        pgconn = self._pgconn
        for recorder in self.recorders:
            recorder.round_trips += 1
        self.broken = True  # until the exchange is complete, whatever stops it
        try:
            pgconn.pipeline_sync()
            while pgconn.flush():
                # The server may not read on before we read what it has to say.
                self._writable(None)
                pgconn.consume_input()
            error: BaseException | None = None
            for pending in self._pending:
                outcome = self._outcome()
                if pgconn.get_result() is not None:
                    raise ConnectionLost("more results than statements")
                error = self._settle(pending, outcome, error)
            self._expect_sync()
            self.broken = False
        except (psycopg.OperationalError, ConnectionLost) as lost:
            # The server's last word says more than the end of the stream does.
            found = self.error or (lost if isinstance(lost, ConnectionLost) else ConnectionLost(str(lost)))
            self._abandon(found)
            raise found from (None if found is self.error else lost)
        self._pending.clear()
        if error is not None:
            raise error

    def _outcome(self) -> PGresult:
        pgconn = self._pgconn
        while pgconn.is_busy():
            self._readable(None)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            raise ConnectionLost("the connection was closed by the server")
        return result

    def _settle(
        self, pending: QueuedResult | str, outcome: PGresult, error: BaseException | None
    ) -> BaseException | None:
        status = outcome.status
        if status == ExecStatus.FATAL_ERROR:
            found = error_from_result(outcome, "utf-8")
            if self.error is None:
                self.error, self.failed_at = found, pending
            error = error or found
        if isinstance(pending, str):
            if status != ExecStatus.COMMAND_OK:
                self._unprepare(pending)
            return error
        pending._session = None
        if status == ExecStatus.TUPLES_OK:
            self._transformer.set_pgresult(outcome)
            pending._rowcount = count = outcome.ntuples
            if count:
                pending._rows = self._transformer.load_rows(0, count, tuple)
        elif status == ExecStatus.COMMAND_OK:
            count_or_none = outcome.command_tuples
            pending._rowcount = -1 if count_or_none is None else count_or_none
        else:
            pending._error = error or self.error
        return error

    def _unprepare(self, sql: str) -> None:
        # Its name stays used up, so that no later statement gets it.
        self._prepared[f"\0{sql}\0{len(self._prepared)}"] = self._prepared.pop(sql)

    def _expect_sync(self) -> None:
        if self._outcome().status != ExecStatus.PIPELINE_SYNC:
            raise ConnectionLost("the pipeline is out of step")

    def _abandon(self, error: BaseException) -> None:
        self.error = self.error or error
        for pending in self._pending:
            if isinstance(pending, QueuedResult) and pending._session is not None:
                pending._session, pending._error = None, error
        self._pending.clear()


def _leaves_open(error: BaseException) -> bool:
    """Whether a COMMIT that ends like this may have happened, as the server says.

    40003 is statement_completion_unknown. What it says of connections (08) is about those among
    servers, for its own to us was there to say it.
    """
    state = getattr(error, "sqlstate", None) or ""
    return state == "40003" or state.startswith("08")


def _waiter(descriptor: int, *, write: bool) -> Callable[[float | None], bool]:
    """Waits until the socket can be read (or, with ``write``, written to or read); with a timeout, asks."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLOUT if write else select.POLLIN)
        return lambda timeout: bool(poll.poll(timeout))
    writers = [descriptor] if write else []
    return lambda timeout: any(select.select([descriptor], writers, [], timeout))


# -- text ------------------------------------------------------------------------------------


_PERCENT = re.compile(r"%(.)", re.DOTALL)


def _numbered(sql: str) -> bytes:
    """``%s`` as ``$1``, ``$2``, ...; ``%%`` as ``%``."""
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if match[1] == "%":
            return "%"
        if match[1] != "s":
            raise ValueError(f"'%{match[1]}' in SQL text is neither '%s' nor '%%'")
        count += 1
        return f"${count}"

    return _PERCENT.sub(number, sql).encode()


def _duration(value: dt.timedelta) -> bytes:
    # Each part with a sign of its own: a duration of -1 day and +1 hour is not -25 hours.
    return f"{value.days} days {value.seconds:+d}.{value.microseconds:06d} seconds".encode()


def _iso(value: dt.date) -> bytes:
    return value.isoformat().encode()


def _text(value: object) -> bytes:
    return str(value).encode()


#: Values as the text that PostgreSQL reads; the statement's casts say of what type.
_FORMS: dict[type, Callable[[Any], bytes | None]] = {
    type(None): lambda value: None,
    int: b"%d".__mod__,
    str: str.encode,
    bool: lambda value: b"t" if value else b"f",
    float: lambda value: repr(value).encode(),
    Decimal: lambda value: format(value, "f").encode(),
    bytes: lambda value: b"\\x" + value.hex().encode(),
    dt.datetime: _iso,
    dt.date: _iso,
    dt.timedelta: _duration,
    uuid.UUID: _text,
}


def _other(value: object) -> bytes | None:
    """A value of a subclass, as its nearest class that has a form."""
    for cls in type(value).__mro__:
        if cls in _FORMS:
            return _FORMS[cls](value)
    raise TypeError(f"{value!r} has no form as a parameter")
