"""Two transactions step by step, in an order that is fixed: which anomalies a database lets happen, and which not.

A step is over when it is done, or when the database says that its transaction waits for the other one; no clock
decides anything.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.database import Anomaly, Database, Transaction

__all__ = ["OUTCOMES", "SCHEDULES", "TABLE", "Outcome", "Play", "outcome_of", "waits"]

T = TypeVar("T")

#: What becomes of a schedule: it happens; or one waits until the other is over; or one is refused, and may be tried
#: again; or both go on, and what would be wrong is not seen.
Outcome = Literal["possible", "waits", "refused", "not seen"]
OUTCOMES: tuple[Outcome, ...] = ("possible", "waits", "refused", "not seen")

TABLE = 'CREATE TABLE "seat" ("id" BIGINT NOT NULL PRIMARY KEY, "taken" BIGINT NOT NULL)'

#: Seconds after which a step that is neither done nor waiting is an error of the test.
BOUND = 60


class Play:
    """Two transactions of one database at a level, each in a thread of its own."""

    def __init__(self, database: Database, isolation: str | None, *, read_only: bool = False) -> None:
        self.database = database
        self.isolation = isolation
        self.read_only = read_only
        """Whether the first one only reads."""
        self.parts = (_Part(self, 0), _Part(self, 1))
        self.waited = False

    def first(self, step: Callable[[Transaction], T]) -> Future[T | None]:
        return self._do(self.parts[0], step)

    def second(self, step: Callable[[Transaction], T]) -> Future[T | None]:
        return self._do(self.parts[1], step)

    def end(self) -> None:
        """Commit what is not over yet, the first one first."""
        self.first(commit)
        self.second(commit)
        for part in self.parts:
            part.steps.put(None)
            part.thread.join(BOUND)
            assert not part.thread.is_alive(), "a transaction hangs"

    @property
    def errors(self) -> list[BaseException]:
        return [part.error for part in self.parts if part.error is not None]

    @property
    def both_committed(self) -> bool:
        return all(part.committed for part in self.parts)

    def value(self, seat: int) -> int:
        """What is committed."""
        with self.database.reading() as reading:
            return int(reading.execute(f'SELECT "taken" FROM "seat" WHERE "id" = {seat}', ()).fetchall()[0][0])

    def _do(self, part: _Part, step: Callable[[Transaction], T]) -> Future[T | None]:
        future: Future[T | None] = Future()
        part.steps.put((step, future))
        until = time.monotonic() + BOUND
        while not future.done():
            if part.blocked():
                self.waited = True
                break
            assert time.monotonic() < until, "a step is neither done nor waits for the other transaction"
            time.sleep(0.002)
        # What waited may go on by what this step did.
        other = self.parts[1 - part.number]
        while other.busy and not other.blocked():
            assert time.monotonic() < until, "what waited does not go on"
            time.sleep(0.002)
        return future


class _Part:
    def __init__(self, play: Play, number: int) -> None:
        self.play, self.number = play, number
        self.steps: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.busy = False
        self.transaction: Transaction | None = None
        self.error: BaseException | None = None
        self.committed = self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (item := self.steps.get()) is not None:
            self.busy = True
            step, future = item
            answer = None
            try:
                if not self.over:
                    if self.transaction is None:
                        self.transaction = self._begin()
                    answer = step(self.transaction)
                    self.committed = self.committed or step is commit
                    self.over = step in (commit, roll_back)
            except Exception as error:
                self.error, self.over = error, True
                if self.transaction is not None:
                    self.transaction.rollback()
            self.busy = not self.steps.empty()
            future.set_result(answer)

    def _begin(self) -> Transaction:
        play = self.play
        return play.database.begin(play.isolation, read_only=play.read_only and self.number == 0)

    def blocked(self) -> bool:
        """Whether the database has it wait for the other one."""
        database, transaction = self.play.database, self.transaction
        if not isinstance(database, PostgreSQLDB | MySQLDB):
            # There is one writer at a time: who begins waits for who has begun.
            other = self.play.parts[1 - self.number]
            alone = self.play.read_only or other.transaction is None or other.over
            return self.busy and transaction is None and not alone
        if transaction is None or self.over:
            return False
        return waits(database, transaction.session)  # type: ignore[attr-defined]


def waits(database: Database, session: Any) -> bool:
    """Whether what runs on a connection waits for another transaction, as the server says."""
    with database.reading() as reading:
        if isinstance(database, PostgreSQLDB):
            asked = f"SELECT cardinality(pg_blocking_pids({session.connection.info.backend_pid})) > 0"
            return bool(reading.execute(asked, ()).fetchall()[0][0])
        # The table of transactions is not brought up to date while somebody keeps asking for it.
        ((_, _, status),) = reading.execute("SHOW ENGINE INNODB STATUS", ()).fetchall()
    mine = re.compile(rf"\bthread id {session.connection.thread_id()},")
    return any("LOCK WAIT" in each for each in str(status).split("---TRANSACTION") if mine.search(each))


def outcome_of(play: Play, happened: bool) -> Outcome:
    if happened:
        return "possible"
    if play.errors:
        assert all(map(play.database.is_retryable, play.errors)), play.errors
        return "refused"
    return "waits" if play.waited else "not seen"


# -- steps -------------------------------------------------------------------------------------


def commit(tx: Transaction) -> None:
    tx.commit()


def roll_back(tx: Transaction) -> None:
    tx.rollback()


def read(seat: int) -> Callable[[Transaction], int]:
    return lambda tx: int(tx.execute(f'SELECT "taken" FROM "seat" WHERE "id" = {seat}', ()).fetchall()[0][0])


def count() -> Callable[[Transaction], int]:
    return lambda tx: int(tx.execute('SELECT COUNT(*) FROM "seat" WHERE "taken" = 0', ()).fetchall()[0][0])


def write(seat: int, value: Callable[[], int]) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute(f'UPDATE "seat" SET "taken" = {value()} WHERE "id" = {seat}', ()).rowcount


def add(seat: int) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute(f'INSERT INTO "seat" ("id", "taken") VALUES ({seat}, 0)', ()).rowcount


def one() -> int:
    return 1


# -- schedules, over the seats 1 and 2, which nobody has taken -------------------------------------


def dirty_read(play: Play) -> bool:
    """One reads what another has written, and takes back."""
    play.first(write(1, one))
    seen = play.second(read(1))
    play.first(roll_back)
    play.end()
    return seen.result(BOUND) == 1


def non_repeatable_read(play: Play) -> bool:
    """One reads a row twice, and it is another one the second time."""
    before = play.first(read(1))
    play.second(write(1, one))
    play.second(commit)
    after = play.first(read(1))
    play.end()
    return before.result(BOUND) != after.result(BOUND)


def read_skew(play: Play) -> bool:
    """One reads two rows that another has changed together, and sees one as it was and one as it is."""
    left = play.first(read(1))
    play.second(write(1, one))
    play.second(write(2, one))
    play.second(commit)
    right = play.first(read(2))
    play.end()
    return left.result(BOUND) != right.result(BOUND)


def lost_update(play: Play) -> bool:
    """Both read a number, add one to it and write it back: one of the two is lost."""
    mine = play.first(read(1))
    yours = play.second(read(1))
    play.first(write(1, lambda: (mine.result(BOUND) or 0) + 1))
    play.first(commit)
    play.second(write(1, lambda: (yours.result(BOUND) or 0) + 1))
    play.end()
    return play.both_committed and play.value(1) != 2


def write_skew(play: Play) -> bool:
    """Both see that neither seat is taken, and each takes another one."""
    seen = [play.first(count()), play.second(count())]
    play.first(write(1, one))
    play.second(write(2, one))
    play.first(commit)
    play.end()
    return play.both_committed and [each.result(BOUND) for each in seen] == [2, 2]


def phantom(play: Play) -> bool:
    """One counts rows twice, and there is one more the second time."""
    before = play.first(count())
    play.second(add(3))
    play.second(commit)
    after = play.first(count())
    play.end()
    return before.result(BOUND) != after.result(BOUND)


def double_booking(play: Play) -> bool:
    """Both see that a row is not there, and each makes it."""
    seen = [play.first(count()), play.second(count())]
    play.first(add(3))
    play.second(add(4))
    play.first(commit)
    play.end()
    return play.both_committed and [each.result(BOUND) for each in seen] == [2, 2]


SCHEDULES: dict[Anomaly, Callable[[Play], bool]] = {
    "dirty read": dirty_read,
    "non-repeatable read": non_repeatable_read,
    "read skew": read_skew,
    "phantom": phantom,
    "lost update": lost_update,
    "write skew": write_skew,
    "double booking": double_booking,
}
