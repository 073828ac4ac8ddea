"""Transactions that are run again: what a conflict undoes is done once more, within bounds."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from interaqt.core.errors import (
    CommitUnknown,
    GuardError,
    IdempotencyError,
    InteraqtError,
    StorageError,
    TransactionRetryExhaustedError,
)
from interaqt.runtime.planner import Planner
from interaqt.runtime.run import Run
from interaqt.storage.database import Database, Overtaken, Transaction
from interaqt.storage.storage import Storage

__all__ = ["ATTEMPTS", "Transactions"]

T = TypeVar("T")

#: How often a transaction is tried at most.
ATTEMPTS = 8

#: Seconds to wait before each further attempt; a random part of the same length is added.
DELAYS = (0.010, 0.025, 0.060, 0.100, 0.150, 0.200, 0.250)


class Transactions:
    """Runs functions over a :class:`Run`, each attempt in a transaction of its own."""

    def __init__(self, storage: Storage, planner: Planner) -> None:
        self.storage = storage
        self.planner = planner
        self.database: Database = storage.database
        self.database.capability.require_transactions(type(self.database).__name__)

    def run(
        self,
        work: Callable[[Run], T],
        name: str,
        *,
        isolation: str | None = None,
        repeatable: bool = False,
        attempts: int = ATTEMPTS,
        at: dt.datetime | None = None,
    ) -> T:
        """What ``work`` answers, once its transaction is committed; it is ``at`` a moment, by default the present one.

        Raises :class:`~interaqt.TransactionRetryExhaustedError` where the database refused each
        attempt for a conflict, :class:`~interaqt.CommitUnknown` where nobody knows whether the
        last one was committed, and any other error as it is, with everything undone. Work that
        finds out whether it was done before is ``repeatable``: then it is asked.
        """
        if self.storage.transaction is not None:
            raise StorageError(
                f"{name}: storage writes by hand, in a transaction of its own; inside a dispatch it would outlive it",
                code="transaction.nested",
                hint="let a Transform, changes= or deleted_by of an interaction say what it writes",
            )
        last: BaseException | None = None
        unknown: CommitUnknown | None = None
        for attempt in range(attempts):
            if attempt:
                delay = DELAYS[min(attempt, len(DELAYS)) - 1]
                time.sleep(delay + random.uniform(0, delay))
            tx: Transaction | None = None
            try:
                tx = self.database.begin(isolation)
                return self._attempt(tx, work, at)
            except CommitUnknown as error:
                if not repeatable:
                    raise
                unknown = error
            except Exception as error:
                if not self.is_conflict(error):
                    if unknown is not None and tx is None:
                        raise unknown from error  # nobody is there to be asked
                    raise
                last = error
        if unknown is not None:
            raise unknown
        raise TransactionRetryExhaustedError(
            f"{name} met a conflict with other transactions at each of {attempts} attempts: {last}",
            attempts=attempts,
            isolation=isolation or self.database.capability.default,
            hint="do it again later, or change less in one transaction",
        ) from last

    def _attempt(self, tx: Transaction, work: Callable[[Run], T], at: dt.datetime | None) -> T:
        storage = self.storage
        try:
            entered = storage.enter(tx, at)
            try:
                run = Run(self.planner, tx, storage.loader.bare)
                outcome = work(run)
                if run.due:
                    run.settle()
            finally:
                storage.leave(entered)
            tx.commit()
        except CommitUnknown:
            tx.rollback()
            raise
        except BaseException as raised:
            error = self.undo(tx, raised)
            if error is raised:
                raise
            raise error from error.__cause__ or raised
        return outcome

    def is_conflict(self, error: BaseException) -> bool:
        """Whether the error comes of one that another attempt may heal."""
        if isinstance(error, IdempotencyError):
            return False  # an answer, though it may come of waiting too long
        return any(isinstance(each, Overtaken) or self.database.is_retryable(each) for each in _chain(error))

    def is_timeout(self, error: BaseException) -> bool:
        """Whether the error comes of the server's ending what took too long."""
        return any(map(self.database.timed_out, _chain(error)))

    def undo(self, tx: Transaction, raised: BaseException) -> BaseException:
        """Roll back what an error has ended; answers the error to raise."""
        failure = tx.failure
        tx.rollback()
        if not isinstance(raised, Exception):
            return raised
        error = self._decisive(raised, failure)
        if isinstance(error, InteraqtError):
            return error
        violation = self.database.violation(error)
        if violation is not None:
            return self.storage.schema.violation(violation)
        # What another attempt may heal is told when none is left.
        told = None if self.is_conflict(error) else self.database.told(error)
        if told is None:
            return error
        told.__cause__ = error
        return told

    def _decisive(self, raised: Exception, failure: BaseException | None) -> BaseException:
        """What made an attempt fail: the error of the database, whatever a callback made of it.

        It is no denial, for what a condition could not read it can't know; and a conflict is worth
        another attempt.
        """
        if failure is None or isinstance(raised, IdempotencyError):
            return raised
        if isinstance(raised, GuardError) or (self.database.is_retryable(failure) and not self.is_conflict(raised)):
            return failure
        return raised


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it: a callback may have met the conflict and raised something else."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
