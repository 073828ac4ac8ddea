"""Statements ready to run: for values by name, for lists of rows, and what reads their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import peewee

from interaqt.core.model import Property, Reference
from interaqt.core.types import ValueType
from interaqt.storage.columns import column_to_db
from interaqt.storage.database import Executor, Result
from interaqt.storage.programs import Program
from interaqt.storage.schema import Schema
from interaqt.storage.scope import Binding

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["KEY", "Given", "Image", "Prepared", "PreparedRows", "Reader", "RowsOf", "Stored"]


Stored = Property | Reference


#: A record's values by attribute name, as Python values; a reference is its key.
Image = dict[str, Any]


#: The slot of the key that a statement is about.
KEY = "key"


class Prepared:
    """A statement ready to run with values by name."""

    def __init__(self, query: peewee.Node, schema: Schema) -> None:
        program = Program(query, schema.dialect)
        self.sql = program.sql
        self.run: Callable[[Executor, Mapping[str, Any]], Result] = program.run


class PreparedRows:
    """A statement that takes a list of rows as one of its sources, or as several, whatever their number."""

    def __init__(
        self, query: peewee.Node, source: RowsOf | Sequence[RowsOf], schema: Schema, singly: bool = False
    ) -> None:
        """``singly`` says that it must see of each row what it did to those before."""
        self._program = Program(query, schema.dialect)
        self._singly = singly or self._program.singly
        self._sources = (source,) if isinstance(source, RowsOf) else tuple(source)
        self.sql = self._program.sql

    def run(self, executor: Executor, rows: Sequence[Mapping[str, Any]], given: Mapping[str, Any] = {}) -> Result:
        if self._singly:
            return self._program.run_each(executor, [self._values([row], given) for row in rows])
        return self._program.run(executor, self._values(rows, given))

    def run_columns(self, executor: Executor, columns: Mapping[str, Sequence[Any]]) -> Result:
        """As :meth:`run`, for rows that are given by their columns."""
        if self._singly:
            return self.run(
                executor, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            )
        values: dict[str, Any] = {}
        for source in self._sources:
            values |= source.of_columns(columns)
        return self._program.run(executor, values)

    def _values(self, rows: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> Mapping[str, Any]:
        values = dict(given)
        for source in self._sources:
            values |= source.values(rows)
        return values


class RowsOf:
    """A list of values by name as a table: the dialect's source, with conversion to stored form."""

    def __init__(self, schema: Schema, alias: str, columns: Sequence[tuple[str, ValueType]]) -> None:
        # Slots are named after roots and sums ("new.at"), which is no name for a column.
        self._names = [name for name, _ in columns]
        self._convert = [column_to_db(schema.dialect, type) for _, type in columns]
        self._columns = {name: f"c{index}" for index, (name, _) in enumerate(columns)}
        self._rows = schema.dialect.rows_source(alias, [(self._columns[name], type) for name, type in columns])
        self.source = self._rows.source

    def column(self, name: str) -> peewee.Column:
        return peewee.Column(self.source, self._columns[name])

    def values(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return self.of_columns({name: [row[name] for row in rows] for name in self._names})

    def of_columns(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return self._rows.of_columns(
            [convert(columns[name]) for name, convert in zip(self._names, self._convert, strict=True)]
        )


class Given(Binding):
    """A root's values are among the columns of a list of rows, as ``root.attribute``, or as ``attribute``."""

    def __init__(self, rows: RowsOf, root: str = "") -> None:
        self.rows, self._prefix = rows, f"{root}." if root else ""

    def read(self, attribute: Stored, dialect: Dialect) -> peewee.Node:
        return self.rows.column(f"{self._prefix}{attribute.name}")


class Reader:
    """Turns a row of selected attributes into an image."""

    def __init__(self, schema: Schema, attributes: Sequence[Stored]) -> None:
        self._names = [each.name for each in attributes]
        self._convert = [schema.dialect.from_db(each.type) for each in attributes]
        self._plain = not any(self._convert)

    def columns(self, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
        """The values of each attribute, in the order of the rows."""
        columns = zip(*rows, strict=True) if rows else [()] * len(self._names)
        return {
            name: list(column) if convert is None else [convert(each) for each in column]
            for name, convert, column in zip(self._names, self._convert, columns, strict=True)
        }

    def image(self, row: Sequence[Any]) -> Image:
        """The image of one row."""
        if self._plain:
            return dict(zip(self._names, row, strict=True))
        return {
            name: value if convert is None else convert(value)
            for name, convert, value in zip(self._names, self._convert, row, strict=True)
        }
