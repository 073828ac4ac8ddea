"""Queries: which records, said in Python, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

import attrs

from interaqt.core.errors import InvalidQuery, Location, RecordNotFound
from interaqt.core.expressions import Expr
from interaqt.core.record import Record, key_of
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of
from interaqt.storage.criteria import condition, value
from interaqt.storage.paths import Path, load_paths, path_of
from interaqt.storage.selection import Among, Order, Selection

if TYPE_CHECKING:
    from interaqt.storage.storage import Reading

__all__ = ["Query"]

R = TypeVar("R")
N = TypeVar("N", int, float, Decimal, timedelta)
V = TypeVar("V")

FLOAT = ValueType(Kind.FLOAT)

#: How many records an iteration holds at a time.
PAGE = 1000

_ZERO: dict[Kind, Any] = {Kind.INT: 0, Kind.FLOAT: 0.0, Kind.DECIMAL: Decimal(0), Kind.TIMEDELTA: timedelta(0)}


class Query(Generic[R]):
    """Records of one class. Each method answers a new query; nothing is read before a result is asked for.

    The callbacks are plain Python over a record, and are turned into SQL where they stand. What
    they use of the variables around them counts as it is at that moment.
    """

    __slots__ = ("_paths", "_reading", "_selection")

    def __init__(self, reading: Reading, selection: Selection, paths: tuple[Path, ...] = ()) -> None:
        self._reading = reading
        self._selection = selection
        self._paths = paths

    # -- what to find

    def where(self, match: Callable[[R], bool]) -> Self:
        """Only records for which ``match`` holds; of several, all must hold."""
        found = condition(self._reading.model, self._selection.record, match, Location.of_caller())
        return self._with(filters=(*self._selection.filters, found))

    def where_in(self, of: Callable[[R], V], values: Iterable[V]) -> Self:
        """Only records of which ``of`` is one of the values, of which there may be any number.

        For a few values ``where(lambda post: post.id in (1, 2))`` says the same.
        """
        found = self._value(of, "where_in")
        if found.type.kind is Kind.JSON:
            raise InvalidQuery("JSON values can't be compared", code="query.where_in", location=Location.of_caller())
        given = list(values)
        if found.type.kind is Kind.RECORD:
            check = check_of(found.type.optional())
            wrong = next((wrong for each in given if (wrong := check(each)) is not None), None)
            if wrong is not None:
                raise InvalidQuery(f"a value {wrong}", code="query.where_in", location=Location.of_caller())
        convert = self._reading.schema.dialect.to_db(found.type.optional(False))
        keys = [key_of(each) if isinstance(each, Record) else each for each in given if each is not None]
        stored = tuple(keys if convert is None else map(convert, keys))
        among = Among(found, stored, len(keys) < len(given))
        return self._with(among=(*self._selection.among, among))

    def order_by(self, key: Callable[[R], object], *, desc: bool = False) -> Self:
        """In the order of ``key``; a further one orders what is equal by those before.

        None comes first, in either direction. What is equal by all keys is in the order of the
        records' own, so the order is always the same.
        """
        found = self._value(key, "order_by")
        if found.type.kind is Kind.JSON:
            raise InvalidQuery("a JSON value has no order", code="query.order", location=Location.of_caller())
        return self._with(orders=(*self._selection.orders, Order(found, bool(desc))))

    def limit(self, n: int) -> Self:
        """At most ``n`` records."""
        return self._with(limit=_natural(n, "limit"))

    def offset(self, n: int) -> Self:
        """Without the first ``n`` records."""
        return self._with(offset=_natural(n, "offset"))

    def include(self, *paths: Callable[[R], object]) -> Self:
        """Load related records along: ``include(lambda post: post.author)``, one query for each step.

        A path goes on through a collection as Python does: ``lambda user: [post.likes for post in
        user.posts]``. Without it related records are loaded all the same, for all records of the
        result at once, when the first is asked for.
        """
        location = Location.of_caller()
        found = [path for walk in paths for path in path_of(self._selection.record, walk, location)]
        return type(self)(self._reading, self._selection, (*self._paths, *found))

    # -- results

    def all(self) -> list[R]:
        return cast("list[R]", self._records(self._selection))

    def first(self) -> R | None:
        """The first record, or None."""
        limit = self._selection.limit
        found = self._records(attrs.evolve(self._selection, limit=1 if limit is None else min(limit, 1)))
        return cast("R", found[0]) if found else None

    def one(self) -> R:
        """The only record; none and more than one are errors."""
        record, limit = self._selection.record, self._selection.limit
        found = self._records(attrs.evolve(self._selection, limit=2 if limit is None else min(limit, 2)))
        if not found:
            raise RecordNotFound(f"there is no such {record}", subject=record.name)
        if len(found) > 1:
            raise InvalidQuery(
                f"there is more than one such {record}",
                code="query.several",
                subject=record.name,
                hint="ask for first() or all(), or say in where() which one",
            )
        return cast("R", found[0])

    def __iter__(self) -> Iterator[R]:
        """The records in bounded memory, however many there are."""
        selection = self._selection
        pages = self._streamed() if selection.orders or selection.is_part else self._paged()
        for page in pages:
            yield from cast("list[R]", page)

    def count(self) -> int:
        return int(self._one(self._reading.selects.count(self._selection))[0])

    def exists(self) -> bool:
        return self._one(self._reading.selects.exists(self._selection)) is not None

    def sum(self, of: Callable[[R], N | None]) -> N:
        """The sum of ``of``, without those that are None; of nothing it is 0."""
        found = self._value(of, "sum")
        if found.type.kind not in _ZERO:
            raise InvalidQuery(f"{found.type} can't be summed", code="query.sum", location=Location.of_caller())
        total, _ = self._one(self._reading.selects.sum(self._selection, found))
        return cast("N", self._converted(total, found.type))

    def average(self, of: Callable[[R], int | float | Decimal | None]) -> float | None:
        """The mean of ``of``, without those that are None; of nothing it is None."""
        found = self._value(of, "average", FLOAT.optional())
        total, number = self._one(self._reading.selects.sum(self._selection, found))
        return float(total) / int(number) if number else None

    def minimum(self, of: Callable[[R], V | None]) -> V | None:
        """The least value of ``of`` that is not None; of nothing it is None."""
        return cast("V | None", self._extreme(self._value(of, "minimum"), descending=False))

    def maximum(self, of: Callable[[R], V | None]) -> V | None:
        """The greatest value of ``of`` that is not None; of nothing it is None."""
        return cast("V | None", self._extreme(self._value(of, "maximum"), descending=True))

    def __repr__(self) -> str:
        return f"<query of {self._selection.record}>"

    # -- parts

    def _with(self, **changes: Any) -> Self:
        return type(self)(self._reading, attrs.evolve(self._selection, **changes), self._paths)

    def _value(self, of: Callable[[R], object], method: str, expected: ValueType | None = None) -> Expr:
        location = Location.of_caller(2)
        return value(self._reading.model, self._selection.record, of, method, location, expected)

    def _records(self, selection: Selection) -> list[Record]:
        sql, values = self._reading.selects.rows(selection)
        with self._reading.executor() as executor:
            rows = executor.execute(sql, values).fetchall()
        return self._made(rows)

    def _made(self, rows: list[Any]) -> list[Record]:
        records = self._reading.loader.records(self._selection.record, rows)
        if self._paths:
            load_paths(records, self._paths)
        return records

    def _paged(self) -> Iterator[list[Record]]:
        """Page after page by key: no connection is held while the caller works on one."""
        after = None
        while True:
            sql, values = self._reading.selects.page(self._selection, after, PAGE)
            with self._reading.executor() as executor:
                rows = executor.execute(sql, values).fetchall()
            page = self._made(rows)
            yield page
            if len(page) < PAGE:
                return
            after = key_of(page[-1])

    def _streamed(self) -> Iterator[list[Record]]:
        """One statement, its rows taken as they are needed; what fits a page holds no connection."""
        sql, values = self._reading.selects.rows(self._selection)
        with self._reading.executor() as executor:
            stream = executor.stream(sql, values, PAGE)
            rows = list(islice(stream, PAGE))
            while len(rows) == PAGE:
                yield self._made(rows)
                rows = list(islice(stream, PAGE))
        yield self._made(rows)

    def _one(self, bound: tuple[str, Any]) -> Any:
        sql, values = bound
        with self._reading.executor() as executor:
            return executor.execute(sql, values).fetchone()

    def _extreme(self, of: Expr, descending: bool) -> Any:
        found = self._one(self._reading.selects.extreme(self._selection, of, descending))
        return None if found is None else self._converted(found[0], of.type)

    def _converted(self, found: Any, type: ValueType) -> Any:
        if type.kind is Kind.RECORD:
            assert type.record is not None
            key = self._converted(found, type.record.key.type)
            return self._reading.loader.ghost(type.record, key)
        convert = self._reading.schema.dialect.from_db(type)
        return found if convert is None else convert(found)


def _natural(n: object, method: str) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < 2**63:
        raise InvalidQuery(
            f"{method}() takes a number of records, not {n!r}",
            code=f"query.{method}",
            location=Location.of_caller(2),
        )
    return n
