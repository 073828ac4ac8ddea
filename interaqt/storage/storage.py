"""The storage that a user sees: queries and records by key; writes go through the runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol, TypeVar, cast

import attrs

from interaqt.core.errors import InvalidQuery, NotInstalled, did_you_mean
from interaqt.core.model import Model, RecordModel
from interaqt.core.record import Record
from interaqt.core.values import check_of
from interaqt.storage.database import Database, Executor, Transaction
from interaqt.storage.loading import Loader
from interaqt.storage.query import Query
from interaqt.storage.schema import Schema
from interaqt.storage.selection import Selection, Selects

__all__ = ["Reading", "Storage", "Writer"]

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
    def executor(self) -> Any:
        return self.loader.executor


class Storage:
    """The records of one model in one database."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.database: Database = schema.database
        self.model = schema.model
        self.writer: Writer = _NoWriter()
        self._current: ContextVar[Transaction | None] = ContextVar("interaqt_transaction", default=None)
        self.loader = Loader(schema, self.executor)
        self._reading = Reading(self.model, schema, self.loader, Selects(schema, self.loader.shape))

    # -- reading

    def query(self, record: type[R]) -> Query[R]:
        """The records of a class: ``storage.query(Post).where(lambda post: post.likes_count > 3).all()``."""
        return Query(self._reading, Selection(self.record_of(record)))

    def get(self, record: type[R], key: object) -> R:
        """The record with the key; :class:`~interaqt.RecordNotFound` if there is none."""
        model = self.record_of(record)
        return cast("R", self.loader.get(model, self._key(model, key)))

    def find(self, record: type[R], key: object) -> R | None:
        """The record with the key, or None."""
        model = self.record_of(record)
        return cast("R | None", self.loader.find(model, self._key(model, key)))

    def record_of(self, cls: object) -> RecordModel:
        """The model of a class."""
        found = self.model.records.get(cls) if isinstance(cls, type) else None
        if found is None:
            name = getattr(cls, "__name__", repr(cls))
            known = [record.name for record in self.model.records.values()]
            raise InvalidQuery(
                f"{name} is not among the controller's models. {did_you_mean(name, known)}",
                code="query.unknown_record",
            )
        return found

    @staticmethod
    def _key(record: RecordModel, key: object) -> object:
        wrong = check_of(record.key.type)(key)
        if wrong is not None:
            raise InvalidQuery(f"the key {wrong}", code="query.key", subject=str(record.key))
        return key

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

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        """What runs a statement now: the transaction that is going on, else a connection of its own."""
        transaction = self._current.get()
        if transaction is not None:
            yield transaction
        else:
            with self.database.reading() as executor:
                yield executor

    @property
    def transaction(self) -> Transaction | None:
        """The transaction that is going on in this context."""
        return self._current.get()

    @contextmanager
    def within(self, transaction: Transaction) -> Iterator[Transaction]:
        """Read in the transaction, which somebody else ends."""
        token = self._current.set(transaction)
        try:
            yield transaction
        finally:
            self._current.reset(token)
