"""Batches: many requests in one transaction, with one statement for each kind of write.

What several events write can be written together where none of them can see another: where new
records are all that they make, and no callback of theirs read anything. Whether one did is seen,
not declared: the callbacks of a group are called first, and where one of them reads, the group
is done one by one, which has the same outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress

from interaqt.core.errors import ConstraintViolationError, GuardError, RecordNotFound
from interaqt.core.global_values import reading_globals
from interaqt.core.record import Record
from interaqt.runtime.admission import take
from interaqt.runtime.asked import Asked, ask
from interaqt.runtime.dispatch import InteractionDispatch, Writes
from interaqt.runtime.group import Group
from interaqt.runtime.group_results import GroupResults
from interaqt.runtime.nesting import Running, refuse_nested
from interaqt.runtime.results import EachResult, Part, Results
from interaqt.runtime.run import Run
from interaqt.runtime.transaction import Transactions
from interaqt.runtime.watched import Watched
from interaqt.storage.database import Transaction
from interaqt.storage.global_records import GlobalRecords
from interaqt.storage.moment import during, present
from interaqt.storage.storage import Storage

__all__ = ["Batch"]


class Batch:
    """Dispatches requests in their order; all of them happen, or none."""

    name = "dispatch_many"

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._storage = transactions.storage

    def run(self, groups: Sequence[Group]) -> Results:
        refuse_nested(self.name)
        at = self._storage.clock()
        try:
            with Running(self.name):
                results = self._transactions.run(lambda run: self.carry_out(run, groups, at), self.name)
        except (ConstraintViolationError, RecordNotFound) as error:
            self.explain_missing(groups, error)
            raise
        results.call_back()
        return results

    def carry_out(self, run: Run, groups: Sequence[Group], at: dt.datetime) -> Results:
        """All of them, in one run, at one moment."""
        with during(at):
            self._lock(run, groups, at)
            parts = [self._part(run, group, at) for group in groups]
        for part in parts:
            part.complete()
        return Results(parts)

    def _lock(self, run: Run, groups: Sequence[Group], at: dt.datetime) -> None:
        """Take all locks that any of them asks for, in one order; each takes its own again, which are held then."""
        these = [each for each in groups if each.dispatch.admission is not None]
        if sum(map(len, these)) < 2:
            return
        asking = [group.dispatch.asking(request, user, at) for group in these for request, user, _, _ in group.rows()]
        first = these[0].dispatch
        # What is refused is refused in its turn: what comes before it may yet make it right.
        with suppress(GuardError), first.global_values():
            take(asking, self._storage, first.holding(), forgiving=True)
        if run.tx.failure is not None:
            raise run.tx.failure

    def _part(self, run: Run, group: Group, at: dt.datetime) -> Part:
        together = self._together(run, group, at)
        return self._one_by_one(run, group, at) if together is None else together

    # -- one by one

    def _one_by_one(self, run: Run, group: Group, at: dt.datetime) -> Part:
        dispatch, results = group.dispatch, []
        for request, user, actor, stored in group.rows():
            created, mutations = len(run.created), len(run.mutations)
            run.forget_proofs()
            result, _ = dispatch.carry_out(request, user, actor, stored, at, run)
            result.event.id = run.created[created].key
            result._writes = Writes(self._storage, run.created[created:], run.mutations[mutations:])
            results.append(result)
        return EachResult(dispatch, results)

    # -- together

    def _together(self, run: Run, group: Group, at: dt.datetime) -> Part | None:
        """The results, or None where a callback read what another event might have changed."""
        asked = self._asked(run, group, at) if _can_be_together(group) else None
        if asked is None:
            return None
        if asked.failure is None:
            return self._written(run, group, asked, at)
        if asked.contexts:
            # What is wrong with those before is said first, as it is one by one.
            self._written(run, group.first(len(asked.contexts)), asked, at)
            run.tx.flush()
        raise asked.failure

    def _asked(self, run: Run, group: Group, at: dt.datetime) -> Asked | None:
        watched = Watched(run.tx)
        entered = self._storage.enter(watched, at)
        try:
            with reading_globals(_SteadyGlobals(self._storage, run.tx, group.dispatch)):
                asked = ask(run, group, at, lambda: watched.read)
        finally:
            self._storage.leave(entered)
        return None if watched.read else asked

    @staticmethod
    def _written(run: Run, group: Group, asked: Asked, at: dt.datetime) -> Part:
        before = len(run.mutations)
        run.forget_proofs()
        events = run.create_rows(group.dispatch.event_record, group.event_columns(at, asked.contexts), len(group))
        own = asked.making.write(run)
        run.settle()
        group.require_references(run)
        return GroupResults(group, at, asked.contexts, events, own, run.mutations[before:])

    # -- what is missing

    def explain_missing(self, groups: Sequence[Group], error: ConstraintViolationError | RecordNotFound) -> None:
        """Say in a payload's words what record is missing, if that is what went wrong."""
        for group in groups:
            for index in group.missing():
                group.dispatch.explain_missing(group.requests[index], group.users[index], error)


def _can_be_together(group: Group) -> bool:
    dispatch = group.dispatch
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
