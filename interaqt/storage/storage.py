"""The storage that a user sees: queries and records by key; writes go through the runtime."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from threading import get_ident
from typing import Any, NoReturn, Protocol, TypeVar, cast

import attrs

from interaqt.core.errors import InvalidQuery, NotInstalled, StorageError, did_you_mean
from interaqt.core.model import ONLY, Model, RecordModel
from interaqt.core.record import Record
from interaqt.core.values import Check, check_of
from interaqt.storage.database import Database, Executor, Transaction
from interaqt.storage.loading import Loader
from interaqt.storage.moment import Clock, begin_moment, clock_of, end_moment, present, require_moment
from interaqt.storage.query import Query
from interaqt.storage.row_classes import declared_class
from interaqt.storage.schema import Schema
from interaqt.storage.selection import Selection, Selects

__all__ = ["Entered", "Reading", "Storage", "Writer"]

R = TypeVar("R")


class Writer(Protocol):
    """What writes records by hand, outside interactions; derived values follow as they always do."""

    def create(self, record: Any) -> Any: ...
    def update(self, record: Any, values: dict[str, Any]) -> Any: ...
    def delete(self, record: Any) -> None: ...


class _NoWriter:
    """Stands where the writer will be once a controller is set up."""

    def create(self, record: Any) -> NoReturn:
        self._refuse()

    def update(self, record: Any, values: dict[str, Any]) -> NoReturn:
        self._refuse()

    def delete(self, record: Any) -> NoReturn:
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise NotInstalled(
            "nothing can be written before a controller is set up",
            hint="call controller.setup(), with install=True to create the tables",
        )


@attrs.frozen(eq=False)
class Reading:
    """What queries need of one model in one database."""

    model: Model
    schema: Schema
    loader: Loader
    selects: Selects

    @property
    def executor(self) -> Callable[[], AbstractContextManager[Executor]]:
        return self.loader.executor


class Entered:
    """A transaction that statements run in, for as long as it is open."""

    __slots__ = ("moment", "open", "thread", "token", "transaction")
    token: Token[Entered | None]
    moment: Token[dt.datetime | None]

    def __init__(self, transaction: Transaction, thread: int) -> None:
        self.transaction, self.thread, self.open = transaction, thread, True


class Storage:
    """The records of one model in one database."""

    def __init__(self, schema: Schema, clock: Clock | None = None) -> None:
        self.schema = schema
        self.clock = clock_of(clock)
        self.database: Database = schema.database
        self.model = schema.model
        self.writer: Writer = _NoWriter()
        self._keys: dict[type, tuple[RecordModel, Check]] = {}
        self._current: ContextVar[Entered | None] = ContextVar("interaqt_transaction", default=None)
        self.loader = Loader(schema, self.executor, self.now)
        self._reading = Reading(self.model, schema, self.loader, Selects(schema, self.loader.shape, self.now))

    # -- reading

    def query(self, record: type[R], *, at: dt.datetime | None = None) -> Query[R]:
        """The records of a class: ``storage.query(Post).where(lambda post: post.likes_count > 3).all()``.

        What changes with the clock (``iq.RealTime``) is as of ``at``, or else of the present moment.
        """
        model = self.record_of(record)
        if at is None:
            return Query(self._reading, Selection(model))
        moment = require_moment(at, "at=", "at")
        reading = attrs.evolve(self._reading, loader=self.loader.at(moment))
        return Query(reading, Selection(model, at=moment))

    def get(self, record: type[R], key: object = None) -> R:
        """The record with the key, or that of a dictionary; :class:`~interaqt.RecordNotFound` if there is none."""
        if key is None and self.record_of(record).is_dictionary:
            key = ONLY
        found = self.find(record, key)
        if found is None:
            raise self.loader.not_found(self.record_of(record), key)
        return found

    def find(self, record: type[R], key: object) -> R | None:
        """The record with the key, or None."""
        known = self._keys.get(record)
        if known is None:
            model = self.record_of(record)
            known = self._keys[record] = (model, check_of(model.key.type))
        model, check = known
        wrong = check(key)
        if wrong is not None:
            raise InvalidQuery(f"the key {wrong}", code="query.key", subject=str(model.key))
        found = self.loader.by(model.key, (key,), model)
        return cast("R", found[0]) if found else None

    def record_of(self, cls: object) -> RecordModel:
        """The model of a class."""
        cls = declared_class(cls)
        found = self.model.records.get(cls) if isinstance(cls, type) else None
        if found is None:
            name = getattr(cls, "__name__", repr(cls))
            known = [record.name for record in self.model.records.values()]
            raise InvalidQuery(
                f"{name} is not among the controller's models. {did_you_mean(name, known)}",
                code="query.unknown_record",
            )
        return found

    # -- writing

    def create(self, record: R) -> R:
        """Store a record; answers it with its key and derived values."""
        return cast("R", self.writer.create(record))

    def update(self, record: R, **values: Any) -> R:
        """Change attributes of a stored record; answers it as it is then."""
        return cast("R", self.writer.update(record, values))

    def delete(self, record: Record | Any) -> None:
        """Delete a stored record, and do with those that refer to it what they declare."""
        self.writer.delete(record)

    # -- transactions

    def now(self) -> dt.datetime:
        """The present moment: that of the transaction which is going on, else what the clock says."""
        return self.clock() if self.transaction is None else present()

    def executor(self) -> AbstractContextManager[Executor]:
        """What runs a statement now: the transaction that is going on, else a connection of its own."""
        transaction = self.transaction
        return self.database.reading() if transaction is None else nullcontext(transaction)

    @property
    def transaction(self) -> Transaction | None:
        """The transaction that is going on in this context."""
        entered = self._current.get()
        if entered is None or not entered.open:
            return None
        if entered.thread != get_ident():
            raise StorageError(
                "a transaction is used by the thread that began it, and this is another",
                code="transaction.thread",
                hint="load what the other thread needs before it starts, or start it once the transaction is over",
            )
        return entered.transaction

    def enter(self, transaction: Transaction, moment: dt.datetime | None = None) -> Entered:
        """Read in the transaction from now on, as of that moment or the present one, until :meth:`leave`."""
        entered = Entered(transaction, get_ident())
        entered.token = self._current.set(entered)
        entered.moment = begin_moment(moment or self.clock())
        return entered

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is read inside is what is committed, whatever transaction is going on."""
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    def leave(self, entered: Entered) -> None:
        # What was started inside has a copy of the context, and may go on for longer.
        entered.open = False
        end_moment(entered.moment)
        self._current.reset(entered.token)
