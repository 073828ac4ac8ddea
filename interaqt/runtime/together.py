"""Several dispatches in one transaction: what one writes the next one sees, and all of it happens or none.

The whole is a function, for a conflict with another transaction undoes the whole, and only a
function can be done again. A block of a ``with`` statement could not be.
"""

from __future__ import annotations

import datetime as dt
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from interaqt.core.errors import (
    ConstraintViolationError,
    DispatchError,
    InvalidValue,
    RecordNotFound,
    StorageError,
    TransactionAbortedError,
    TransactionTimeoutError,
)
from interaqt.core.record import key_of
from interaqt.runtime.batch import Batch
from interaqt.runtime.dispatch import InteractionDispatch
from interaqt.runtime.effects import Mutation
from interaqt.runtime.group import Group
from interaqt.runtime.nesting import Running, refuse_nested
from interaqt.runtime.result import DispatchResult, Writes
from interaqt.runtime.run import Run
from interaqt.runtime.sequences import Sequences
from interaqt.runtime.transaction import Transactions
from interaqt.storage.moment import during
from interaqt.storage.storage import Storage

if TYPE_CHECKING:
    from interaqt.storage.database import Transaction

__all__ = ["BusinessTransaction", "Together"]

T = TypeVar("T")

#: Stands for the user of the whole transaction.
_SAME: Any = object()

#: Answers what dispatches an interaction, and the request that a payload means.
Find = Callable[[Any, Mapping[str, Any] | None], tuple[InteractionDispatch, Any]]


class BusinessTransaction:
    """What the function of :meth:`Controller.transact` is given: it dispatches inside the transaction.

    It belongs to the thread in which the function was called, and is over when that returns.
    """

    def __init__(self, whole: Together, run: Run, running: Running, user: Any, limit: float) -> None:
        self._whole = whole
        self._tx: Transaction = run.tx
        self._ghost = whole.storage.loader.bare
        self._running = running
        self._user = user
        self._limit = limit
        self._until = time.monotonic() + limit
        self._thread = threading.get_ident()
        self._open = True
        self._done: list[tuple[InteractionDispatch, DispatchResult]] = []
        self.aborted: BaseException | None = None
        """What went wrong in it: it can't be committed any more."""

    def dispatch(
        self,
        interaction: Any,
        payload: Mapping[str, Any] | None = None,
        *,
        user: Any = _SAME,
        idempotency_key: str | None = None,
    ) -> DispatchResult:
        """Dispatch as :meth:`Controller.dispatch` does; it is committed with the whole, or not at all.

        What refuses it is raised, whatever ``raise_errors`` says, and aborts the whole. Hooks and
        side effects that come after the commit are called after that of the whole.
        """
        dispatch, request = self._whole.find(interaction, payload)
        asking = self._user if user is _SAME else user

        def work() -> list[tuple[InteractionDispatch, DispatchResult]]:
            attempt, at = dispatch.attempt(request, asking, idempotency_key)
            with during(at):
                result, run = attempt(self._run())
                run.settle()
            if run.created:
                result.event.id = run.created[0].key
            return [(dispatch, result)]

        ((_, result),) = self._do(
            dispatch.interaction.name, work, lambda error: dispatch.explain_missing(request, asking, error)
        )
        return result

    def dispatch_many(self, requests: Iterable[Any], *, user: Any = _SAME) -> Sequence[DispatchResult]:
        """Dispatch requests in their order, as :meth:`Controller.dispatch_many` does."""
        asking = self._user if user is _SAME else user
        batch, groups = self._whole.batch, self._whole.grouped(requests, asking)
        if not groups:
            return []

        def work() -> list[tuple[InteractionDispatch, DispatchResult]]:
            run = self._run()
            results = batch.carry_out(run, groups, self._whole.storage.clock())
            run.settle()
            return list(results.dispatched())

        done = self._do(batch.name, work, lambda error: batch.explain_missing(groups, error))
        return [result for _, result in done]

    def reserve(self, sequence: int, /, *scope: object, count: int) -> range:
        """Take numbers as :meth:`Controller.reserve` does; they are given back if the whole is undone."""
        asked = self._whole.sequences.asked(sequence, scope, count)
        found: list[range] = []

        def work() -> list[tuple[InteractionDispatch, DispatchResult]]:
            found.append(self._whole.sequences.reserve(self._tx, asked))
            return []

        self._do("reserve", work, lambda error: None)
        return found[0]

    # -- one step

    def _run(self) -> Run:
        return Run(self._whole.transactions.planner, self._tx, self._ghost)

    def _do(
        self,
        name: str,
        work: Callable[[], list[tuple[InteractionDispatch, DispatchResult]]],
        explain: Callable[[ConstraintViolationError | RecordNotFound], None],
    ) -> list[tuple[InteractionDispatch, DispatchResult]]:
        self._require_usable(name)
        self.check_time()
        try:
            with Running(name):
                done = work()
                # What is wrong with it is said here, and not by what comes next.
                self._tx.flush()
        except BaseException as error:
            self._abort(error, explain)
        for _, result in done:
            if result._writes is not None and result.outcome != "replayed":
                result._writes = _Current(self._whole.storage, result._writes)
        self._done += done
        return done

    def _require_usable(self, name: str) -> None:
        if not self._open:
            raise StorageError(
                f"{name}: the transaction is over", code="transaction.ended", hint="call controller.transact again"
            )
        if threading.get_ident() != self._thread:
            raise StorageError(
                f"{name}: the transaction is used by the thread that began it, and this is another",
                code="transaction.thread",
                hint="let each thread call controller.transact for itself",
            )
        refuse_nested(name, inside=self._running)
        if self.aborted is not None:
            raise TransactionAbortedError.because_of(self.aborted, name) from self.aborted

    def _abort(
        self, raised: BaseException, explain: Callable[[ConstraintViolationError | RecordNotFound], None]
    ) -> NoReturn:
        """Undo the whole at once: what it has locked is free, whatever the function does with the error."""
        whole = self._whole
        error = whole.transactions.undo(self._tx, raised)
        if whole.transactions.is_timeout(error):
            error = self._timeout()
        self.aborted = error
        if isinstance(error, ConstraintViolationError | RecordNotFound):
            try:
                with whole.storage.outside():
                    explain(error)
            except DispatchError as explained:
                self.aborted = explained
                raise
        if error is raised:
            raise raised
        raise error from error.__cause__ or raised

    # -- its end

    def check_time(self) -> None:
        """Raise where it has been open for too long."""
        if time.monotonic() > self._until and self.aborted is None:
            self.aborted = self._timeout()
            self._tx.rollback()
            raise self.aborted

    def _timeout(self) -> TransactionTimeoutError:
        return TransactionTimeoutError(
            f"{self._running.name} was open for longer than {self._limit:g} seconds, and was undone",
            hint="do what takes long before or after the transaction, or give transact a longer timeout=",
        )

    def judge(self, raised: Exception) -> None:
        """Raise what ended it, where that says more than what the function has raised."""
        if self.aborted is None:
            if self._whole.transactions.is_timeout(raised):
                raise self._timeout() from raised
        elif self._whole.transactions.is_conflict(self.aborted):
            # Whatever the function made of it, it is done again.
            raise self.aborted from raised

    def finish(self) -> None:
        """Let it be committed; raises where it can't be."""
        if self.aborted is not None:
            if self._whole.transactions.is_conflict(self.aborted):
                raise self.aborted
            raise TransactionAbortedError.because_of(self.aborted, self._running.name) from self.aborted
        self.check_time()

    def close(self) -> None:
        self._open = False

    def call_back(self) -> None:
        """Call what is to be called once all is committed, in the order of the dispatches."""
        for dispatch, result in self._done:
            if result.outcome != "replayed":
                dispatch.call_back(result)


class _Current:
    """The writes of one dispatch of several: another may have changed what it made, so records are loaded anew."""

    __slots__ = ("_storage", "_writes")

    def __init__(self, storage: Storage, writes: Writes) -> None:
        self._storage, self._writes = storage, writes

    def mutations(self) -> list[Mutation]:
        return self._writes.mutations()

    def created(self, cls: type[Any]) -> list[Any]:
        record = self._storage.record_of(cls)
        return list(self._storage.loader.ghosts(record, map(key_of, self._writes.created(cls))))


class Together:
    """Runs functions over a :class:`BusinessTransaction`, each attempt in a transaction of its own."""

    def __init__(
        self,
        transactions: Transactions,
        batch: Batch,
        find: Find,
        grouped: Callable[[Iterable[Any], Any], Sequence[Group]],
        sequences: Sequences,
    ) -> None:
        self.transactions = transactions
        self.storage = transactions.storage
        self.batch = batch
        self.find = find
        self.grouped = grouped
        self.sequences = sequences

    def run(
        self,
        work: Callable[[BusinessTransaction], T],
        user: Any,
        timeout: dt.timedelta,
        attempts: int,
        isolation: str | None,
    ) -> T:
        name = getattr(work, "__name__", "transact")
        refuse_nested(name)
        _require_positive("timeout", timeout, dt.timedelta(0), "timeout=timedelta(seconds=30)")
        _require_positive("attempts", attempts, 0, "attempts=5")
        with Running(name, together=True) as running:

            def attempt(run: Run) -> tuple[T, BusinessTransaction]:
                self.storage.database.limit_duration(run.tx, timeout)
                tx = BusinessTransaction(self, run, running, user, timeout.total_seconds())
                try:
                    answer = work(tx)
                    _require_plain(answer, name)
                except Exception as error:
                    tx.judge(error)
                    raise
                finally:
                    tx.close()
                tx.finish()
                return answer, tx

            answer, tx = self.transactions.run(attempt, name, isolation=isolation, attempts=attempts)
        tx.call_back()
        return answer


def _require_plain(answer: object, name: str) -> None:
    if inspect.isawaitable(answer) or inspect.isgenerator(answer) or inspect.isasyncgen(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise DispatchError(
            f"{name} answers {type(answer).__name__}, which would go on when the transaction is over",
            code="transact.function",
            subject=name,
            hint="give transact a plain function; call it by asyncio.to_thread(controller.transact, ...)",
        )


def _require_positive(name: str, value: Any, least: Any, example: str) -> None:
    if isinstance(value, bool) or not isinstance(value, type(least)) or value <= least:
        raise InvalidValue(
            f"{name}= takes {'a timedelta longer than none' if name == 'timeout' else 'an int from 1'}, not {value!r}",
            code=f"transact.{name}",
            subject="transact",
            hint=f"write {example}",
        )
