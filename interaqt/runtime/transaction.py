"""Transactions that are run again: what a conflict undoes is done once more, within bounds."""

from __future__ import annotations

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
from interaqt.storage.database import Database, Transaction
from interaqt.storage.storage import Storage

__all__ = ["ATTEMPTS", "Transactions"]

T = TypeVar("T")

#: How often a transaction is tried at most.
ATTEMPTS = 5

#: Seconds to wait before each further attempt; a random part of the same length is added.
DELAYS = (0.010, 0.025, 0.060, 0.150)


class Transactions:
    """Runs functions over a :class:`Run`, each attempt in a transaction of its own."""

    def __init__(self, storage: Storage, planner: Planner) -> None:
        self.storage = storage
        self.planner = planner
        self.database: Database = storage.database

    def run(self, work: Callable[[Run], T], name: str, *, isolation: str | None = None, repeatable: bool = False) -> T:
        """What ``work`` answers, once its transaction is committed.

        Raises :class:`~interaqt.TransactionRetryExhaustedError` where the database refused each
        attempt for a conflict, :class:`~interaqt.CommitUnknown` where nobody knows whether the
        last one was committed, and any other error as it is, with everything undone. Work that
        finds out whether it was done before is ``repeatable``: then it is asked.
        """
        if self.storage.transaction is not None:
            raise StorageError(
                f"{name}: storage writes by hand, in a transaction of its own; inside a dispatch it would outlive it",
                code="transaction.nested",
                hint="let a Transform, changes= or deleted_by of the interaction say what it writes",
            )
        last: BaseException | None = None
        unknown: CommitUnknown | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                delay = DELAYS[attempt - 1]
                time.sleep(delay + random.uniform(0, delay))
            tx: Transaction | None = None
            try:
                tx = self.database.begin(isolation)
                return self._attempt(tx, work)
            except CommitUnknown as error:
                if not repeatable:
                    raise
                unknown = error
            except IdempotencyError:
                raise  # an answer, though it may come of waiting too long
            except Exception as error:
                if not any(map(self.database.is_retryable, _chain(error))):
                    if unknown is not None and tx is None:
                        raise unknown from error  # nobody is there to be asked
                    raise
                last = error
        if unknown is not None:
            raise unknown
        raise TransactionRetryExhaustedError(
            f"{name} met a conflict with other transactions at each of {ATTEMPTS} attempts: {last}", attempts=ATTEMPTS
        ) from last

    def _attempt(self, tx: Transaction, work: Callable[[Run], T]) -> T:
        try:
            entered = self.storage.enter(tx)
            try:
                run = Run(self.planner, tx, self.storage.loader.ghost)
                outcome = work(run)
                run.settle()
            finally:
                self.storage.leave(entered)
            tx.commit()
        except CommitUnknown:
            tx.rollback()
            raise
        except Exception as raised:
            failure = tx.failure
            tx.rollback()
            error = self._decisive(raised, failure)
            if error is not raised:
                raise error from raised
            violation = None if isinstance(error, InteraqtError) else self.database.violation(error)
            if violation is not None:
                raise self.storage.schema.violation(violation) from error
            raise
        except BaseException:
            tx.rollback()
            raise
        return outcome

    def _decisive(self, raised: Exception, failure: BaseException | None) -> BaseException:
        """What made an attempt fail: the error of the database, where a callback took no notice of it.

        It is no denial, for a condition can't have known; and a conflict is worth another attempt.
        """
        if failure is None or any(each is failure for each in _chain(raised)):
            return raised
        swallowed = isinstance(raised, GuardError) or self.database.is_retryable(failure)
        return failure if swallowed else raised


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it: a callback may have met the conflict and raised something else."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
