"""Batches: many requests in one transaction, with one statement for each kind of write.

What several events write can be written together where none of them can see another: where new
records are all that they make, and no callback of theirs read anything. Whether one did is seen,
not declared: the callbacks of a group are called first, and where one of them reads, the group
is done one by one, which has the same outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import attrs

from interaqt.core.errors import ConstraintViolationError, GuardError, RecordNotFound
from interaqt.core.global_values import reading_globals
from interaqt.core.record import Record
from interaqt.runtime.admission import take
from interaqt.runtime.dispatch import InteractionDispatch, Writes
from interaqt.runtime.effects import Membership, Mutation
from interaqt.runtime.events import actor_of
from interaqt.runtime.making import Maker
from interaqt.runtime.nesting import Running, refuse_nested
from interaqt.runtime.result import DispatchResult
from interaqt.runtime.run import Created, Run
from interaqt.runtime.transaction import Transactions
from interaqt.storage.database import Result, Transaction
from interaqt.storage.global_records import GlobalRecords
from interaqt.storage.moment import during, present
from interaqt.storage.storage import Storage

__all__ = ["Batch", "Request"]


@attrs.frozen(eq=False)
class Request:
    """One of the requests of a batch, checked."""

    dispatch: InteractionDispatch
    payload: Any
    user: Any
    actor: str | None
    stored: dict[str, Any]

    @classmethod
    def checked(cls, dispatch: InteractionDispatch, payload: Any, user: Any) -> Request:
        dispatch.payload.check(payload)
        return cls(dispatch, payload, user, actor_of(user), dispatch.payload.stored(payload))


class Batch:
    """Dispatches requests in their order; all of them happen, or none."""

    name = "dispatch_many"

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._storage = transactions.storage

    def run(self, requests: Sequence[Request]) -> list[DispatchResult]:
        refuse_nested(self.name)
        at = self._storage.clock()
        try:
            with Running(self.name):
                results = self._transactions.run(lambda run: self.carry_out(run, requests, at), self.name)
        except (ConstraintViolationError, RecordNotFound) as error:
            self.explain_missing(requests, error)
            raise
        for request, result in zip(requests, results, strict=True):
            request.dispatch.call_back(result)
        return results

    @staticmethod
    def explain_missing(requests: Sequence[Request], error: ConstraintViolationError | RecordNotFound) -> None:
        """Say in a payload's words what record is missing, if that is what went wrong."""
        for each in requests:
            each.dispatch.explain_missing(each.payload, each.user, error)

    def carry_out(self, run: Run, requests: Sequence[Request], at: dt.datetime) -> list[DispatchResult]:
        """All of them, in one run, at one moment."""
        with during(at):
            self._lock(run, requests, at)
            return list(self._all(run, requests, at))

    def _lock(self, run: Run, requests: Sequence[Request], at: dt.datetime) -> None:
        """Take all locks that any of them asks for, in one order; each takes its own again, which are held then."""
        these = [each for each in requests if each.dispatch.admission is not None]
        if len(these) < 2:
            return
        asking = [each.dispatch.asking(each.payload, each.user, at) for each in these]
        first = these[0].dispatch
        # What is refused is refused in its turn: what comes before it may yet make it right.
        with suppress(GuardError), first.global_values():
            take(asking, self._storage, first.holding(), forgiving=True)
        if run.tx.failure is not None:
            raise run.tx.failure

    def _all(self, run: Run, requests: Sequence[Request], at: dt.datetime) -> Iterator[DispatchResult]:
        for dispatch, some in groupby(requests, lambda each: each.dispatch):
            group = list(some)
            results = self._together(run, dispatch, group, at) if _can_be_together(dispatch, group) else None
            yield from results if results is not None else self._one_by_one(run, group, at)

    # -- one by one

    def _one_by_one(self, run: Run, group: Sequence[Request], at: dt.datetime) -> Iterator[DispatchResult]:
        for each in group:
            created, mutations = len(run.created), len(run.mutations)
            run.forget_proofs()
            result, _ = each.dispatch.carry_out(each.payload, each.user, each.actor, each.stored, at, run)
            result.event.id = run.created[created].key
            result._writes = Writes(self._storage, run.created[created:], run.mutations[mutations:])
            yield result

    # -- together

    def _together(
        self, run: Run, dispatch: InteractionDispatch, group: Sequence[Request], at: dt.datetime
    ) -> list[DispatchResult] | None:
        """The results, or None where a callback read what another event might have changed."""
        watched = _Watched(run.tx)
        entered = self._storage.enter(watched, at)
        try:
            with reading_globals(_SteadyGlobals(self._storage, run.tx, dispatch)):
                events = [dispatch.admitted(each.payload, each.user, at) for each in group]
                made = [dispatch.facts.made(event) for event in events]
        finally:
            self._storage.leave(entered)
        if watched.read:
            return None
        rows = [dispatch.event_row(event, each.actor, each.stored) for event, each in zip(events, group, strict=True)]
        mutations = len(run.mutations)
        run.forget_proofs()
        stored = run.create(dispatch.event_record, rows)
        maker = Maker(run)
        for column in zip(*made, strict=True):
            maker.make(column[0][0], [each for _, records in column for each in records])
        run.settle()
        results: list[DispatchResult] = []
        own: list[Created] = []
        effects: list[Created | Mutation | Membership] = []
        shared = {id(each): each for each in run.mutations[mutations:]}
        came: dict[int, list[Membership]] = {}
        for membership in list(shared.values()):
            if isinstance(membership, Membership) and membership.old is None and membership.values is not None:
                # A record that is made in a view came there with the event that made it.
                came.setdefault(id(membership.values), []).append(membership)
        for event, event_row, facts in zip(events, stored, made, strict=True):
            event.id = event_row.key
            own = [event_row, *maker.created(each for _, records in facts for each in records)]
            effects = []
            for created in own:
                effects += [created, *came.get(id(created.image), ())]
            for effect in effects:
                shared.pop(id(effect), None)
            results.append(DispatchResult(event, writes=Writes(self._storage, own, effects)))
        # What was derived for all of them is told once, with the last.
        results[-1]._writes = Writes(self._storage, own, [*effects, *shared.values()])
        for each in group:
            dispatch.require_references(run, each.payload)
        return results


def _can_be_together(dispatch: InteractionDispatch, group: Sequence[Request]) -> bool:
    hooks = dispatch.interaction.hooks
    plain = hooks.map_event_data is None and hooks.resolve is None and hooks.after_dispatch is None
    alone = dispatch.payload.names_views or dispatch.admission is not None
    return len(group) > 1 and plain and dispatch.facts.only_creates and not alone


class _SteadyGlobals(GlobalRecords):
    """Global values that a group reads; those that follow from nothing else are changed by no event of it."""

    __slots__ = ("_graph", "_storage", "_tx")

    def __init__(self, storage: Storage, tx: Transaction, dispatch: InteractionDispatch) -> None:
        super().__init__(storage.loader, dispatch.lock_of)
        self._storage, self._tx, self._graph = storage, tx, dispatch.planner.graph

    def _load(self, dictionary: type) -> Record:
        record = self._storage.model.record(dictionary)
        if record is None or any(map(self._graph.looks_beyond, record.rules)):
            return super()._load(dictionary)
        token = self._storage.enter(self._tx, present())
        try:
            return super()._load(dictionary)
        finally:
            self._storage.leave(token)


class _Watched:
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
