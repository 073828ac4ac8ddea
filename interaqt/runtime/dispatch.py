"""Dispatch: one interaction, one transaction, from the guard to the commit, and what comes after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any

from interaqt.core.errors import (
    ConstraintViolationError,
    GuardError,
    InvalidQuery,
    PayloadError,
    PayloadProblem,
    RecordNotFound,
)
from interaqt.core.event import Event
from interaqt.core.global_values import reading_globals
from interaqt.core.idempotency import Idempotency
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel
from interaqt.core.record import Record, key_of
from interaqt.runtime.admission import Admission, Asking, take
from interaqt.runtime.effects import Effect, Membership, Mutation, Touched, told
from interaqt.runtime.events import InteractionEvent, actor_of
from interaqt.runtime.facts import Facts
from interaqt.runtime.kinds_told import of_their_kinds
from interaqt.runtime.ledger import Ledger
from interaqt.runtime.nesting import Running, refuse_nested
from interaqt.runtime.once import Once
from interaqt.runtime.payload import Payload
from interaqt.runtime.payload_views import PayloadViews
from interaqt.runtime.reaction import Step
from interaqt.runtime.replay import fingerprint, require_key
from interaqt.runtime.result import DispatchResult
from interaqt.runtime.run import Created, Run
from interaqt.runtime.side_effects import attempt
from interaqt.runtime.telling import Telling
from interaqt.runtime.transaction import Transactions
from interaqt.storage.global_records import GlobalRecords
from interaqt.storage.holding import Holding
from interaqt.storage.loading import Lock
from interaqt.storage.prepared import Image
from interaqt.storage.storage import Storage

__all__ = ["InteractionDispatch", "Writes"]


#: Carries a request out in a run.
Attempt = Callable[[Run], tuple[DispatchResult, Run]]

#: Where a model has no dictionaries, none is read.
_NONE: AbstractContextManager[None] = nullcontext()


class InteractionDispatch:
    """Dispatches one interaction; made once, at setup."""

    def __init__(
        self,
        transactions: Transactions,
        interaction: InteractionModel,
        telling: Telling,
        ledger: Callable[[], Ledger],
        idempotency: Idempotency,
    ) -> None:
        self.transactions = transactions
        self.storage = transactions.storage
        self.planner = transactions.planner
        self.interaction = interaction
        self.payload = Payload(interaction, self.planner.model.records)
        self.facts = Facts(self.planner, self.storage.loader, interaction)
        self.consequences = self.facts.consequences
        self._views = PayloadViews(self.payload, self.facts, self.storage.loader)
        self._telling = telling
        asked = interaction.asked_locks
        self.admission = Admission(self.storage, interaction.name, asked) if asked else None
        self._decides = interaction.guard is not None or self.admission is not None
        self.user = self.planner.model.user
        self.event_record = self.planner.model.records[InteractionEvent]
        self.consequences.of_event(self.event_record)
        self._ledger = ledger
        self._idempotency = interaction.idempotency or idempotency
        self.holding = partial(Holding, self.storage.loader, self.consequences.lock_of, self.consequences.concerns)
        """Keeps as it is what callbacks read of records that are written then, or of which values move."""
        self._reads_globals = bool(self.planner.model.dictionaries)
        self._answers = interaction.hooks.resolve is not None or interaction.hooks.after_dispatch is not None
        self.calls_back = interaction.hooks.post_commit is not None or bool(telling.side_effects)

    @cached_property
    def _once(self) -> Once:
        return Once(self.storage, self._ledger(), self._idempotency, self.interaction.name)

    # -- the transaction

    def run(self, request: Any, user: Any, key: str | None = None) -> DispatchResult:
        """Dispatch a request; raises what refuses it, with nothing written.

        Under a key it is done once: with the same key again it answers what the first answered.
        """
        name = self.interaction.name
        refuse_nested(name)
        attempt, at = self.attempt(request, user, key)
        try:
            with Running(name):
                result, run = self.transactions.run(attempt, name, repeatable=key is not None, at=at)
        except (ConstraintViolationError, RecordNotFound) as error:
            self.explain_missing(request, user, error)
            raise
        if run.created:
            result.event.id = run.created[0].key
            self.call_back(result)
        return result

    def attempt(self, request: Any, user: Any, key: str | None) -> tuple[Attempt, dt.datetime]:
        """Check a request; answers what carries it out in a run, any number of times, and the moment to do it at."""
        glance = self.payload.glance
        if not glance.is_right(request.__dict__):
            self.payload.check(request)
        actor = actor_of(user)
        stored = self.payload.stored(request) if glance.stored is None else glance.stored(request.__dict__)
        at = self.storage.clock()

        work = partial(self.carry_out, request, user, actor, stored, at)
        if key is None:
            return work, at
        claim = self._once.claim(require_key(key), actor, fingerprint(stored), at)
        return self._attempt_once(work, claim, request, user, at), at

    def _attempt_once(self, work: Attempt, claim: Image, request: Any, user: Any, at: dt.datetime) -> Attempt:
        """Carries it out where the claim is new, and otherwise answers what was answered then."""

        def again() -> Event[Any]:
            with self.global_values():
                return self.admitted(request, user, at, self.locked(request, user, at))

        return partial(
            self._once.run,
            claim=claim,
            first=work,
            admitted=again,
            event=lambda: self.event(request, user, at),
        )

    def carry_out(
        self, request: Any, user: Any, actor: str | None, stored: dict[str, Any], at: dt.datetime, run: Run
    ) -> tuple[DispatchResult, Run]:
        """Do it; the caller sees to it that the present moment is that of the event."""
        if self._reads_globals:
            with self.global_values():
                event, event_row = self._written(run, request, user, actor, stored, at)
        else:
            event, event_row = self._written(run, request, user, actor, stored, at)
        if not self.payload.glance.is_proven(request.__dict__, run.proven):
            self.require_references(run, request)
        result = DispatchResult(event, writes=Writes(self.storage, run.created, run.mutations))
        if self._answers:
            event.id = event_row.key
            hooks = self.interaction.hooks
            # What they read is as it is now, after the facts.
            with self.global_values():
                if hooks.resolve is not None:
                    result.data = hooks.resolve(event, self.storage)
                if hooks.after_dispatch is not None:
                    hooks.after_dispatch(event, result)
        return result, run

    def _written(
        self, run: Run, request: Any, user: Any, actor: str | None, stored: dict[str, Any], at: dt.datetime
    ) -> tuple[Event[Any], Created]:
        """Admit it, and write its event and its facts."""
        holding = self.holding() if self.admission is None else self.locked(request, user, at)
        if self.payload.names_views:
            self._views.require(run, request)
        event = self.admitted(request, user, at, holding)
        if self._decides and run.tx.failure is not None:
            raise run.tx.failure  # which the guard took no notice of
        map_event_data = self.interaction.hooks.map_event_data
        if map_event_data is not None:
            event.context = dict(map_event_data(event))
        (event_row,) = run.create(self.event_record, [self.event_row(event, actor, stored)])
        asked = self.facts.ask(run, event)
        if (holding.free or holding.open) and holding.missed_by(lambda: self.consequences.learn(asked.new())):
            # Nothing was written yet; what was read is read again, and locked.
            context = event.context
            event = self.admitted(request, user, at, self.locked(request, user, at))
            event.context = context
            asked = self.facts.ask(run, event)
        self.facts.write(run, event, asked)
        return event, event_row

    def global_values(self) -> AbstractContextManager[None]:
        """What callbacks read of dictionaries is what the transaction holds: each is read once, and stays so."""
        if not self._reads_globals:
            return _NONE
        return reading_globals(GlobalRecords(self.storage.loader, self.lock_of))

    def lock_of(self, dictionary: RecordModel) -> Lock:
        """How a dictionary is locked that a callback reads."""
        return self.consequences.lock_of(dictionary) or "keep"

    def event_row(self, event: Event[Any], actor: str | None, stored: dict[str, Any]) -> Image:
        """What is kept of the event."""
        return {
            "interaction": self.interaction.name,
            "at": event.at,
            "actor": actor,
            "payload": stored,
            "context": event.context or None,
        }

    def event(self, request: Any, user: Any, at: dt.datetime, holding: Holding | None = None) -> Event[Any]:
        """What callbacks see: everything in it loads inside the transaction, all records of one table together."""
        if holding is None:
            holding = self.holding()
        if self.user is not None and isinstance(user, self.user.cls) and isinstance(user, Record):
            user = holding.like(self.user, user)
        return Event(self.interaction.name, at, user, self.payload.fresh(request, holding.like))

    def locked(self, request: Any, user: Any, at: dt.datetime) -> Holding:
        """Take the locks that are asked for."""
        holding = self.holding()
        if self.admission is not None:
            self._judged(lambda: take([self.asking(request, user, at)], self.storage, holding), request)
        return holding

    def asking(self, request: Any, user: Any, at: dt.datetime) -> Asking:
        """What asks for locks, and the event that it is asked about."""
        assert self.admission is not None
        return self.admission, lambda holding: self.event(request, user, at, holding)

    def admitted(self, request: Any, user: Any, at: dt.datetime, holding: Holding | None = None) -> Event[Any]:
        event = self.event(request, user, at, holding)
        self.admit(event, request)
        return event

    def admit(self, event: Event[Any], request: Any) -> None:
        """Ask the interaction's guard, if it has one."""
        guard = self.interaction.guard
        if guard is not None:
            self._judged(lambda: guard.check(event), request)

    def _judged(self, ask: Callable[[], None], request: Any) -> None:
        try:
            ask()
        except GuardError as error:
            if isinstance(error.__cause__, RecordNotFound):
                # It stumbled over a reference to nothing: that is what to say.
                self._require(self.payload.references(request))
            raise

    # -- references exist

    def require_references(self, run: Run, request: Any) -> None:
        """What no foreign key, lock or update has proven to exist is looked up."""
        self._require(each for each in self.payload.references(request) if each[1:] not in run.proven)

    def _require(self, references: Iterable[tuple[str, RecordModel, Any]]) -> None:
        problems = tuple(self._missing(references))
        if problems:
            raise PayloadError(self.interaction.name, problems)

    def _missing(self, references: Iterable[tuple[str, RecordModel, Any]]) -> Iterator[PayloadProblem]:
        by_record: dict[RecordModel, dict[Any, list[str]]] = {}
        for path, record, key in references:
            by_record.setdefault(record, {}).setdefault(key, []).append(path)
        for record, paths in by_record.items():
            found = self.storage.loader.existing(record, list(paths))
            for key, where in paths.items():
                if key not in found:
                    for path in where:
                        yield PayloadProblem(
                            "payload.not_found", path, f"there is no {record} with {record.key.name} {key!r}"
                        )

    def explain_missing(self, request: Any, user: Any, error: ConstraintViolationError | RecordNotFound) -> None:
        """A foreign key that failed, or a record that is not there, is said in the payload's words, if it is why."""
        if isinstance(error, ConstraintViolationError) and error.kind != "foreign_key":
            return
        references = list(self.payload.references(request))
        if self.user is not None and isinstance(user, Record) and isinstance(user, self.user.cls):
            references.append(("user", self.user, key_of(user)))
        problems = tuple(self._missing(references))
        if problems:
            raise PayloadError(self.interaction.name, problems) from error

    # -- after the commit

    def call_back(self, result: DispatchResult) -> None:
        """Call what is to be called once the facts are committed."""
        if not self.calls_back:
            result.post_commit = "complete"
            return
        hook = self.interaction.hooks.post_commit
        if hook is not None:
            result.side_effects.append(attempt("post_commit", None, lambda: hook(result.event, result)))
        if self._telling.side_effects:
            result.side_effects += self._telling.tell(result.effects)
        failed = any(outcome.error is not None for outcome in result.side_effects)
        result.post_commit = "failed" if failed else "complete"

    # -- for explain

    def steps(self) -> Iterator[Step]:
        yield from self.planner.listing.creation(self.event_record, "the event record")
        yield from self.facts.steps()


class Writes:
    """What was written, made ready to read when somebody asks."""

    __slots__ = ("_created", "_mutations", "_storage")

    def __init__(self, storage: Storage, created: Sequence[Created], mutations: Sequence[Effect | Created]) -> None:
        self._storage, self._created, self._mutations = storage, created, mutations

    def mutations(self) -> list[Mutation]:
        found = told(mutation for each in self._mutations for mutation in _mutations(each))
        return of_their_kinds(self._storage, [each for each in found if not self._storage.record_of(each.record).sides])

    def created(self, cls: type[Any]) -> list[Any]:
        record = self._storage.record_of(cls)
        if record.is_view:
            raise InvalidQuery(
                f"{record} is a view, and what came into it was not all created just now",
                code="query.view_created",
                hint=f"ask created({record.made_as}), or look for {record} among the effects, where a side effect "
                "observes it",
            )
        rows = [each.complete() for each in self._created if each.record.is_a(record)]
        return self._storage.loader.known(record, [_given(record.root, row) for row in rows])


def _mutations(each: Effect | Created) -> Iterable[Mutation | Membership]:
    if isinstance(each, Created):
        return (Mutation("create", each.record.cls, each.key, values=each.complete()),)
    return each.each() if isinstance(each, Touched) else (each,)


def _given(table: RecordModel, values: dict[str, Any]) -> dict[str, Any]:
    """What stays as it was given; a derived value may have moved since, so it is loaded."""
    return {
        name: value for name, value in values.items() if getattr(table.attributes[name], "computation", None) is None
    }
