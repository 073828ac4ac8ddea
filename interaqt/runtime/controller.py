"""The controller: a model in a system. It sets up, dispatches, explains and verifies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, Literal, TypeVar, cast, overload

from interaqt.core.dictionary import DictionaryMeta
from interaqt.core.errors import (
    DispatchError,
    InvalidEntity,
    InvalidQuery,
    InvalidValue,
    NestedDispatchError,
    NotInstalled,
    SetupError,
    UnresolvedName,
    did_you_mean,
)
from interaqt.core.event import Event
from interaqt.core.idempotency import Idempotency
from interaqt.core.interaction import InteractionDeclaration
from interaqt.core.model import Model, RecordModel
from interaqt.core.record import Record
from interaqt.core.resolve import resolve
from interaqt.core.retention import Retention, resolve_retention
from interaqt.runtime.batch import Batch
from interaqt.runtime.dictionaries import Dictionaries
from interaqt.runtime.dispatch import InteractionDispatch
from interaqt.runtime.events import InteractionEvent
from interaqt.runtime.explain import Plan
from interaqt.runtime.group import Group, grouped
from interaqt.runtime.ledger import Ledger, ledger_record
from interaqt.runtime.nesting import refuse_nested
from interaqt.runtime.planner import Planner
from interaqt.runtime.provenance import Explanation, explain_value
from interaqt.runtime.rebuild import Progress, Rebuilder
from interaqt.runtime.reliance import warn_of_reliance
from interaqt.runtime.result import DispatchResult
from interaqt.runtime.sequences import Sequences
from interaqt.runtime.side_effects import SideEffect
from interaqt.runtime.sweeping import Sweeper
from interaqt.runtime.system import MonoSystem
from interaqt.runtime.task_record import Task, asynchronous, task_record
from interaqt.runtime.tasks import Tasks
from interaqt.runtime.telling import Telling
from interaqt.runtime.ticking import Ticker
from interaqt.runtime.together import BusinessTransaction, Together
from interaqt.runtime.transaction import ATTEMPTS, Transactions
from interaqt.runtime.verify import Difference, verify
from interaqt.runtime.worker import TaskReport, work_off
from interaqt.runtime.writer import DirectWriter
from interaqt.storage.counters import CounterStatements, counter_record
from interaqt.storage.moment import require_moment
from interaqt.storage.queue import QueueStatements
from interaqt.storage.schema import Schema
from interaqt.storage.storage import Storage

__all__ = ["Controller"]

T = TypeVar("T")

Models = Iterable[type | SideEffect | ModuleType]


class Controller:
    """``Controller(MonoSystem(SQLiteDB("app.db")), [User, Post, LikePost])``.

    ``models`` are the declared classes, side effects, or modules of them, in any order. ``user``
    is the record class of ``dispatch(..., user=)``; left out, it is the one named ``User``.
    With ``raise_errors=False`` a refused dispatch answers its error in the result instead.
    ``idempotency`` says what a dispatch with an ``idempotency_key`` promises, and ``events`` how
    long events are kept. ``clock`` says what time it is, wherever that is asked; left out, it is
    the machine's. Tests give one that stands still.

    Making a controller resolves the whole model: it raises a :class:`~interaqt.DeclarationError`
    for whatever is wrong in it, before anything touches the database.
    """

    def __init__(
        self,
        system: MonoSystem,
        models: Models,
        *,
        user: type | None = None,
        raise_errors: bool = True,
        idempotency: Idempotency | None = None,
        events: Retention | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        _require_system(system)
        self.system = system
        self.raise_errors = raise_errors
        classes, side_effects = _sorted_out(models)
        self.model = resolve([InteractionEvent, *classes], user)
        if events is not None:
            event = self.model.records[InteractionEvent]
            event.retention = resolve_retention(self.model, event, _retention(events))
        requests, computed = ledger_record(), asynchronous(self.model)
        tasks = [task_record()] if computed else []
        counted = [counter_record()] if any(each.sequences for each in self.model.tables()) else []
        schema = Schema(self.model, system.database, [requests, *tasks, *counted])
        queue = QueueStatements(schema, tasks[0], computed) if tasks else None
        counters = CounterStatements(schema, counted[0]) if counted else None
        self._ledger = cache(lambda: Ledger(schema, requests))
        promise = idempotency or Idempotency()
        storage = Storage(schema, clock)
        observed = {_observed(self.model, each) for each in side_effects}
        self._planner = Planner(self.model, schema, frozenset(observed), queue, counters)
        self._transactions = Transactions(storage, self._planner)
        telling = Telling(self._planner, storage, side_effects)
        self._tasks = cache(lambda: Tasks(self._transactions, telling))
        self._dispatches = {
            cls: InteractionDispatch(self._transactions, interaction, telling, self._ledger, promise)
            for cls, interaction in self.model.interactions.items()
        }
        self._sweeper = cache(lambda: Sweeper(self._transactions, self._ledger))
        self._ticker = cache(lambda: Ticker(self._transactions, telling))
        self._dictionaries = Dictionaries(self._transactions)
        self._sequences = Sequences(self._transactions)
        self._batch = Batch(self._transactions)
        self._together = Together(self._transactions, self._batch, self._asked, self._grouped, self._sequences)
        self._rebuilder = Rebuilder(self._transactions)
        #: Those that may be used, which are all of them once the controller is set up.
        self._prepared: dict[type, InteractionDispatch] = {}
        self._by_name = {cls.__name__: cls for cls in self._dispatches}
        self._ready = False
        system.use(storage)

    def setup(self, *, install: bool = False) -> None:
        """Make it ready to dispatch; with ``install`` the tables that are missing are created.

        Raises :class:`~interaqt.NotInstalled` where tables are missing, and
        :class:`~interaqt.SetupError` where one is not as the model says. Doing it again is fine.
        A :class:`~interaqt.GlobalDependenceWarning` says which values depend on a global value.
        """
        storage = self.system.storage
        if install:
            storage.schema.install()
            self._dictionaries.install()
            self._sequences.install()
        else:
            storage.schema.check()
            self._dictionaries.check()
            self._sequences.check()
        storage.writer = DirectWriter(self._transactions)
        self._ready = True
        self._prepared = self._dispatches
        warn_of_reliance(self._planner.graph, storage)

    def dispatch(
        self,
        interaction: Any,
        payload: Mapping[str, Any] | None = None,
        *,
        user: Any = None,
        idempotency_key: str | None = None,
    ) -> DispatchResult:
        """Ask for an interaction: all of what it means happens in one transaction, or nothing does.

        ``interaction`` is an instance of an interaction class, the request; or the class or its
        name with ``payload``, a mapping of JSON values in which a record is its key. ``user`` is
        a stored record, or a text, number or UUID that identifies who asks.

        With an ``idempotency_key`` the same request of the same user is done once, however often
        it comes: the ``outcome`` is ``applied``, and after that ``replayed``, with the data and
        the created records of the first. The same key with another payload is an
        :class:`~interaqt.IdempotencyError`.

        Raises :class:`~interaqt.PayloadError` and :class:`~interaqt.ConditionRejected` where the
        request is not admitted, and :class:`~interaqt.ConstraintViolationError` where the
        database refuses what it would write.
        """
        request = interaction
        try:
            dispatch = self._prepared.get(type(interaction)) if payload is None else None
            if dispatch is None:
                dispatch, request = self._asked(interaction, payload)
            return dispatch.run(request, user, idempotency_key)
        except NestedDispatchError:
            raise
        except Exception as error:
            if self.raise_errors:
                raise
            name = interaction if isinstance(interaction, str) else type(request).__name__
            return DispatchResult(Event(name, self.system.storage.clock(), user, request), error)

    def dispatch_many(self, requests: Iterable[Any], *, user: Any = None) -> Sequence[DispatchResult]:
        """Dispatch requests in their order, in one transaction: all of them happen, or none.

        Each is an instance of an interaction class, or a pair of one and the user who asks.
        Requests of one interaction that follow one another are written together where they
        cannot see each other, so many cost little more than one; the outcome is the same.
        Each result has the effects of its own event; what was derived for several together is
        among those of the last of them. Raises what :meth:`dispatch` raises.
        """
        groups = self._grouped(requests, user)
        return self._batch.run(groups) if groups else []

    def transact(
        self,
        work: Callable[[BusinessTransaction], T],
        *,
        user: Any = None,
        timeout: dt.timedelta = dt.timedelta(seconds=30),
        attempts: int = ATTEMPTS,
        isolation: str | None = None,
    ) -> T:
        """Dispatch several times in one transaction: all of it happens, or nothing does. Answers what ``work`` does.

        ``work`` is a function of the transaction, in which it dispatches and reads; it is called
        again where the database reports a conflict, ``attempts`` times at most, so it must have
        no effect outside the database. Hooks and side effects of its dispatches are called once,
        after the commit, in order.

        An error in one of the dispatches undoes the whole, also if ``work`` goes on after it:
        then a :class:`~interaqt.TransactionAbortedError` is raised. One that is open for longer
        than ``timeout`` is a :class:`~interaqt.TransactionTimeoutError`. What ``work`` itself
        reads is locked by nobody; where its decisions rely on it, ask for
        ``isolation="SERIALIZABLE"``.
        """
        self._require_ready()
        if not callable(work):
            raise InvalidValue(
                f"transact() takes a function of the transaction, not {work!r}",
                code="transaction.work",
                hint="write app.transact(lambda tx: tx.dispatch(...)), or give it a function by its name",
            )
        return self._together.run(work, user, timeout, attempts, isolation)

    def reserve(self, sequence: int, /, *scope: object, count: int) -> range:
        """Take the next ``count`` numbers of a sequence, which no record gets by itself any more.

        ``app.reserve(Issue.number, project, count=10)``, with a value for each attribute of its
        scope. Makers may give them where the sequence has ``default=None``; what is not used is a
        gap. Inside :meth:`transact`, call ``tx.reserve``: then they are given back if it is undone.
        """
        self._require_ready()
        refuse_nested("reserve")
        return self._sequences.reserved(self._sequences.asked(sequence, scope, count))

    def request(self, interaction: type | str, payload: Mapping[str, Any]) -> Any:
        """The request that a mapping of JSON values means; raises :class:`~interaqt.PayloadError`."""
        cls = self._by_name.get(interaction) if isinstance(interaction, str) else interaction
        dispatch = self._dispatch_of(cls, interaction)
        return dispatch.payload.parse(payload, self.system.storage.loader.named)

    @overload
    def explain(self, what: type) -> Plan: ...
    @overload
    def explain(self, what: object, attribute: str) -> Explanation: ...
    def explain(self, what: Any, attribute: str | None = None) -> Plan | Explanation:
        """Why things happen: ``explain(LikePost)`` is its plan, the statements in order and why each is there.

        ``explain(post, "like_count")`` is what the value is, its rule, what that depends on, and
        the records behind it now; ``explain(Totals, "posts")`` is that of a global value.
        """
        if attribute is not None:
            if isinstance(what, DictionaryMeta):
                what = self.system.storage.get(cast("type[Any]", what))
            return explain_value(self._planner, self.system.storage, what, attribute)
        dispatch = self._dispatch_of(what, what)
        return Plan(dispatch.interaction.name, tuple(dispatch.steps()))

    def rebuild(
        self,
        record: type,
        attribute: str | None = None,
        *,
        batch: int | None = None,
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> int:
        """Work a derived value of all records of a class out anew, or, without ``attribute``, all of them.

        It goes in batches of ``batch`` records, or of as many as take a part of a second. One in
        which anything is wrong is a transaction of its own, so others keep working meanwhile, and
        what is done stays done if a later one fails; ``progress`` is called after each. Answers how
        many records it went through. For values of a computation that is new to a table that has records already,
        or that somebody changed by hand; :meth:`verify` says whether any are wrong.
        """
        return self._rebuilder.run(self.system.storage.record_of(record).root, attribute, batch, progress)

    def verify(self, *, progress: Callable[[Progress], None] | None = None) -> list[Difference]:
        """Work every derived value out anew, as of one moment, and answer the differences from what is stored.

        It is done in SQL, and by ``compute=`` of what Python computes; ``progress`` is called again
        and again while it goes on. What a worker is to compute or has failed to, see
        :meth:`tasks`, is left alone.
        """
        missing = self._dictionaries.differences()
        storage = self.system.storage
        if storage.transaction is not None:
            return [*missing, *verify(self._planner, storage.transaction, progress)]
        tx = storage.database.begin(read_only=True)
        try:
            return [*missing, *verify(self._planner, tx, progress)]
        finally:
            tx.rollback()

    def run_tasks(self, limit: int | None = None) -> TaskReport:
        """Do here what workers are asked to compute, one after the other: all that is due, or at most so many.

        For tests, and for jobs that run now and then; see :class:`~interaqt.Worker`.
        """
        return work_off(self._ready_tasks(), limit)

    def tasks(
        self, attribute: str | None = None, *, status: Literal["waiting", "running", "failed"] | None = None
    ) -> list[Task]:
        """What is asked of workers and not done: of one attribute, ``"Post.summary"``, or of one status."""
        return list(self._ready_tasks().listed(attribute, status))

    def retry_task(self, task: Task) -> bool:
        """Have a task that has failed done after all; False where it has not failed any more."""
        return self._ready_tasks().retry(task)

    def _ready_tasks(self) -> Tasks:
        self._require_ready()
        if not self._tasks().rules:
            raise InvalidQuery(
                "nothing of this model is computed by workers",
                code="tasks.none",
                hint="write iq.Custom(..., asynchronous=iq.Asynchronous())",
            )
        return self._tasks()

    def sweep(self, batch: int = 1000, *, batches: int | None = None) -> dict[str, int]:
        """Delete what is kept no longer; answers how many records of each kind that were.

        Each ``batch`` of records is a short transaction of its own, so dispatches go on all the
        while; at most ``batches`` of each kind, if given. Call it now and then, from anywhere
        but a dispatch.
        """
        self._require_ready()
        return self._sweeper().sweep(batch, batches)

    def tick(self, now: dt.datetime | None = None, *, batch: int = 1000) -> int:
        """Bring right what is derived from values that change with the clock (``iq.RealTime``).

        Whoever reads such a value gets what it is at that moment, tick or no tick; what follows
        from it (a count, a record, a side effect) is as of the last one. Answers how many values
        were due by ``now``, which is the present moment if it is left out. They are found by an
        index, and each ``batch`` of them is a short transaction of its own; any number of
        processes may tick at once. A ``now`` before that of another tick undoes nothing.

        Raises :class:`~interaqt.SideEffectError` at the end, where all values are right, if a side
        effect failed.
        """
        self._require_ready()
        at = self.system.storage.clock() if now is None else require_moment(now, "now=", "now")
        return self._ticker().tick(at, batch)

    def next_due(self) -> dt.datetime | None:
        """When the next tick has something to do: a moment that is gone where it has already, None where never."""
        self._require_ready()
        return self._ticker().next_due()

    def _asked(self, interaction: Any, payload: Mapping[str, Any] | None) -> tuple[InteractionDispatch, Any]:
        """What dispatches it, and the request that is meant."""
        if payload is not None or isinstance(interaction, str):
            interaction = self.request(interaction, {} if payload is None else payload)
        return self._dispatch_of(type(interaction)), interaction

    def _grouped(self, requests: Iterable[Any], user: Any) -> list[Group]:
        return grouped(requests, user, self._dispatch_of)

    def _dispatch_of(self, cls: Any, written: Any = None) -> InteractionDispatch:
        self._require_ready()
        found = self._dispatches.get(cls)
        if found is None:
            name = written if isinstance(written, str) else getattr(cls, "__name__", repr(cls))
            hint = ""
            if isinstance(getattr(cls, "__iq_interaction__", None), InteractionDeclaration):
                hint = "give the class to the controller with the other models"
            elif isinstance(cls, type) and issubclass(cls, Record):
                hint = "records are made by interactions; dispatch one of those"
            elif cls in (dict, type):
                hint = "dispatch an instance, LikePost(post=post), or a class with its payload, LikePost, {...}"
            raise DispatchError(
                f"{name} is not an interaction of this controller. {did_you_mean(name, self._by_name)}",
                code="dispatch.unknown_interaction",
                hint=hint,
            )
        return found

    def _require_ready(self) -> None:
        if not self._ready:
            raise NotInstalled(
                "the controller is not set up", hint="call controller.setup(), with install=True to create the tables"
            )


def _retention(events: object) -> Retention:
    if isinstance(events, Retention):
        return events
    raise SetupError(
        f"events= takes iq.Retention(...), not {events!r}",
        code="setup.events",
        hint="write events=iq.Retention(older_than=timedelta(days=90))",
    )


def _require_system(system: object) -> None:
    if not isinstance(system, MonoSystem):
        raise SetupError(
            f"a controller takes a system, not {system!r}",
            code="setup.system",
            hint='write Controller(MonoSystem(SQLiteDB("app.db")), [...])',
        )


def _observed(model: Model, effect: SideEffect) -> RecordModel:
    found = model.records.get(effect.record)
    if found is None:
        name = effect.record.__name__
        raise UnresolvedName(
            f"{name} is not among the controller's models. "
            f"{did_you_mean(name, [each.name for each in model.records.values()])}",
            subject=f"side effect {effect.name}",
            location=effect.location,
            hint=f"give {name} to the controller with the other models",
        )
    return found


def _sorted_out(models: Models) -> tuple[list[type], Sequence[SideEffect]]:
    classes: list[type] = []
    side_effects: list[SideEffect] = []
    if isinstance(models, type | ModuleType) or not isinstance(models, Iterable):
        name = getattr(models, "__name__", repr(models))
        raise InvalidEntity(
            f"a controller takes a list of models, not {name}", code="model.not_a_list", hint=f"write [{name}, ...]"
        )
    for each in models:
        if isinstance(each, SideEffect):
            side_effects.append(each)
        elif isinstance(each, type):
            classes.append(each)
        elif isinstance(each, ModuleType):
            declared = [value for value in vars(each).values() if getattr(value, "__module__", "") == each.__name__]
            classes += [
                value
                for value in declared
                if isinstance(value, type) and ("__iq_record__" in vars(value) or "__iq_interaction__" in vars(value))
            ]
            side_effects += [value for value in vars(each).values() if isinstance(value, SideEffect)]
        else:
            raise InvalidEntity(
                f"{each!r} is neither a declared class, a side effect, nor a module of them", code="model.not_declared"
            )
    return classes, side_effects
