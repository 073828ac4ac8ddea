"""Two transactions step by step, in an order that is fixed, so that what they do to each other is no matter of luck.

A step is over when it is done, or when its transaction waits for the other one. Whether it does, the database may
be asked; where nobody knows how to, what takes longer than a second is taken to wait.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import attrs

from interaqt.storage.database import Database, Transaction

__all__ = ["BOUND", "Bench", "Part", "Play", "commit", "roll_back"]

T = TypeVar("T")

#: Seconds after which a step that is neither done nor waiting is an error.
BOUND = 60


@attrs.define
class Bench:
    """A database under test: one that is empty, and thrown away afterwards."""

    database: Database
    waits: Callable[[Part], bool] | None = None
    """Whether a part waits for the other one, as the database says; None has the clock say it."""
    sever: Callable[[Transaction], None] | None = None
    """Ends the connection of a transaction from outside, as a server does that is stopped."""
    patience: float = 1.0
    """After how many seconds the clock says so."""

    def play(self, isolation: str | None = None, *, read_only: bool = False) -> Play:
        return Play(self, isolation, read_only=read_only)

    def value(self, seat: int) -> int:
        """What is committed."""
        with self.database.reading() as reading:
            return int(reading.execute(f'SELECT "taken" FROM "seat" WHERE "id" = {seat}', ()).fetchall()[0][0])

    def new_seats(self) -> None:
        """The seats 1 and 2, which nobody has taken, in a table of their own."""
        if "seat" not in self.database.tables():
            self.database.run_ddl(
                ['CREATE TABLE "seat" ("id" BIGINT NOT NULL PRIMARY KEY, "taken" BIGINT NOT NULL)'],
            )
        tx = self.database.begin()
        tx.execute('DELETE FROM "seat"', ())
        tx.execute('INSERT INTO "seat" ("id", "taken") VALUES (1, 0), (2, 0)', ())
        tx.commit()


class Play:
    """Two transactions of one database at a level, each in a thread of its own."""

    def __init__(self, bench: Bench, isolation: str | None, *, read_only: bool = False) -> None:
        self.bench = bench
        self.isolation = isolation
        self.read_only = read_only
        """Whether the first one only reads."""
        self.parts = (Part(self, 0), Part(self, 1))
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
        return self.bench.value(seat)

    def _do(self, part: Part, step: Callable[[Transaction], T]) -> Future[T | None]:
        future: Future[T | None] = Future()
        part.since = time.monotonic()
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
        other.since = time.monotonic()
        while other.busy and not other.blocked():
            assert time.monotonic() < until, "what waited does not go on"
            time.sleep(0.002)
        return future


class Part:
    """One of the two."""

    def __init__(self, play: Play, number: int) -> None:
        self.play, self.number = play, number
        self.steps: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.busy = False
        self.since = 0.0
        """When something was last done that it may go on by."""
        self.transaction: Transaction | None = None
        self.error: BaseException | None = None
        self.committed = self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def other(self) -> Part:
        return self.play.parts[1 - self.number]

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
        reads = play.read_only and self.number == 0
        return play.bench.database.begin(play.isolation, read_only=reads)

    def blocked(self) -> bool:
        """Whether it waits for the other one."""
        bench = self.play.bench
        if bench.waits is None:
            return self.busy and time.monotonic() - self.since > bench.patience
        return bench.waits(self)


def commit(tx: Transaction) -> None:
    tx.commit()


def roll_back(tx: Transaction) -> None:
    tx.rollback()
