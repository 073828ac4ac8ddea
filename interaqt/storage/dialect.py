"""What differs between databases in SQL text and in the form of values, and what does not.

``OPERATIONS`` here holds what all of them spell alike; a dialect adds its own lines. A key is the
operation's name, or the name with the kinds of its first arguments; the longest that fits counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import peewee
from peewee import Node

from interaqt.core.expressions import Op
from interaqt.core.types import Kind, ValueType
from interaqt.storage.convert import Convert, checker, optional, stored_type
from interaqt.storage.glance import with_glance
from interaqt.storage.programs import Plan
from interaqt.storage.sql import template

if TYPE_CHECKING:
    from interaqt.core.model import RecordModel

__all__ = [
    "COMMON",
    "WHITE_SPACE",
    "Dialect",
    "OperationKey",
    "Renderer",
    "RowsSource",
    "earliest",
    "places",
    "trimming",
]

OperationKey = str | tuple[str, Kind] | tuple[str, Kind, Kind]
Renderer = str | Callable[["Dialect", Op, Sequence[Node]], Node]
"""A template, or a function from the operation and its rendered arguments."""

#: All that ``str.strip`` takes off.
WHITE_SPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def _case(dialect: Dialect, op: Op, nodes: Sequence[Node]) -> Node:
    pairs = len(nodes) // 2
    whens = " ".join(f"WHEN {{{2 * index}}} THEN {{{2 * index + 1}}}" for index in range(pairs))
    return template(f"CASE {whens} ELSE {{{len(nodes) - 1}}} END", *nodes)


def _in(dialect: Dialect, op: Op, nodes: Sequence[Node]) -> Node:
    if len(nodes) == 1:
        return template("({0} IS NULL AND FALSE)", *nodes)
    return template("({0} IN (" + ", ".join(f"{{{index}}}" for index in range(1, len(nodes))) + "))", *nodes)


def _concat(dialect: Dialect, op: Op, nodes: Sequence[Node]) -> Node:
    return template("(" + " || ".join(f"{{{index}}}" for index in range(len(nodes))) + ")", *nodes)


def trimming(function: str) -> Renderer:
    def render(dialect: Dialect, op: Op, nodes: Sequence[Node]) -> Node:
        space = peewee.Value(WHITE_SPACE, converter=False)
        return template(f"{function}({{0}}, {{1}})", nodes[0], dialect.typed(space, ValueType(Kind.STR)))

    return render


def places(nodes: Sequence[Node]) -> list[str]:
    """A place in a template for each node."""
    return [f"{{{index}}}" for index in range(len(nodes))]


def earliest(function: str) -> Renderer:
    """By a function that answers NULL where any argument is."""

    def render(dialect: Dialect, op: Op, nodes: Sequence[Node]) -> Node:
        known = ", ".join(f"coalesce({place}, {_NEVER})" for place in places(nodes))
        return template(f"nullif({function}({known}), {_NEVER})", *nodes)

    return render


#: Later than any moment.
_NEVER = 2**63 - 1

#: What every dialect spells alike.
COMMON: dict[OperationKey, Renderer] = {
    "not": "(NOT {0})",
    "case": _case,
    "is_null": "({0} IS NULL)",
    "eq": "({0} = {1})",
    "ne": "({0} <> {1})",
    "lt": "({0} < {1})",
    "le": "({0} <= {1})",
    "gt": "({0} > {1})",
    "ge": "({0} >= {1})",
    "in": _in,
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "neg": "(- {0})",
    "abs": "abs({0})",
    "truediv": "({0} / {1})",
    # SQL truncates towards zero, Python floors: they differ where the signs do and a rest is left.
    ("floordiv", Kind.INT): "({0} / {1} - CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)",
    ("mod", Kind.INT): "({0} % {1} + CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN {1} ELSE 0 END)",
    "lstrip": trimming("ltrim"),
    "rstrip": trimming("rtrim"),
    "replace": "replace({0}, {1}, {2})",
    "concat": _concat,
}


@attrs.frozen
class RowsSource:
    """A list of rows as a table of a statement whose text does not depend on how many there are.

    ``source`` goes into FROM; ``slots`` are the names of the values that ``convert`` makes of
    the rows' columns, in that order.
    """

    source: peewee.Select
    slots: tuple[str, ...]
    convert: Callable[[Sequence[Sequence[Any]]], tuple[Any, ...]]
    width: int

    def values(self, rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
        """The rows as values by name, for a statement's binder."""
        return self.of_columns(list(zip(*rows, strict=True)) or [()] * self.width)

    def of_columns(self, columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """The rows, given by their columns, as values by name."""
        return dict(zip(self.slots, self.convert(columns), strict=True))


class Dialect(ABC):
    """One database's SQL."""

    name: str
    peewee: peewee.Database
    for_update: bool
    """Whether ``SELECT ... FOR UPDATE`` locks rows."""
    for_change: str = "FOR UPDATE"
    """Locks rows that are going to be changed, and not deleted, with no more force than that asks for."""
    reference_locks: bool = False
    """Whether a row that comes to refer to another one holds it against every change until the transaction ends."""
    share_lock: str | None = None
    """Keeps rows from changing, while others may keep them, too."""
    table_options: str = ""
    """What follows the parenthesis of CREATE TABLE."""
    partial_unique: str | None = "CREATE UNIQUE INDEX {name} ON {table} ({columns}) WHERE {condition}"
    """The statement that keeps values unique among some rows; None where there is none."""
    references_inline: bool = False
    """Whether CREATE TABLE states the foreign keys: it may then name a table that is yet to come."""
    indexes_inline: bool = False
    """Whether CREATE TABLE states the indexes: for a database whose schema statements are each final by themselves."""
    identity: str = "GENERATED BY DEFAULT AS IDENTITY"
    """What makes the database count a key; never again a number that it has given."""
    operations: Mapping[OperationKey, Renderer]
    column_types: Mapping[Kind, str]
    """The type of a column per kind; the type to CAST to is its first part, see ``sql_type``."""

    # -- text ------------------------------------------------------------------------------

    @abstractmethod
    def paramstyle(self, pieces: Sequence[str]) -> str:
        """Statement text from the pieces between its placeholders."""

    @abstractmethod
    def typed(self, node: Node, type: ValueType) -> Node:
        """A value of the type, where the database must be told."""

    @abstractmethod
    def integer(self, value: int, type: ValueType) -> Node:
        """A whole number or a truth value as text."""

    @abstractmethod
    def quoted(self, value: Any) -> str:
        """A stored value as a literal, for schema statements."""

    @abstractmethod
    def ordering(self, node: Node, type: ValueType) -> Node:
        """The node as ORDER BY, ``min`` and ``max`` must see it to agree with Python's order."""

    @abstractmethod
    def sum(self, node: Node, type: ValueType) -> Node:
        """The exact sum over the rows of a group, of the type itself; 0 where there is none."""

    @abstractmethod
    def rows_source(self, alias: str, columns: Sequence[tuple[str, ValueType]]) -> RowsSource:
        """A list of rows, given when the statement is run, as a table with typed columns."""

    def lock_of(self, record: RecordModel) -> str | None:
        """How to keep a row of the record that is read to derive something from it.

        What has derived values itself is likely to be written by the same transaction; two that
        shared such a row would wait for each other for ever.
        """
        if not self.for_update:
            return None
        return self.for_change if record.root.rules else self.share_lock

    def unless(self, query: Any, columns: Sequence[str]) -> Any:
        """The INSERT, leaving out rows of which there is one with the same values in the columns, which are unique."""
        return query.on_conflict(action="nothing", conflict_target=list(columns))

    def renew(self, query: Any, columns: Sequence[str], changes: Mapping[Any, Node]) -> Any:
        """The INSERT, making changes instead to rows with the same values in the columns, which are unique."""
        return query.on_conflict(conflict_target=list(columns), update=changes)

    def asked(self, column: Any) -> Node:
        """In the changes of :meth:`renew`: what the row would have in the column, were it inserted."""
        return template("EXCLUDED.{0}", peewee.Entity(column.name))

    def plan(self, query: Node) -> Plan:
        """The statements that do what the query says, on a database that cannot do it by one."""
        return Plan((query,))

    def quote(self, name: str) -> str:
        """An identifier in quotes, for schema text that Peewee has no part in."""
        return '"' + name.replace('"', '""') + '"'

    def operation(self, op: Op, nodes: Sequence[Node]) -> Node:
        """An operation over its rendered arguments."""
        if op.name in _NULL_SAFE and any(arg.type.nullable for arg in op.args):
            return template(self.null_safe[op.name], *nodes)
        renderer = self.operations.get(op.name)
        kinds = tuple(stored_type(arg.type).kind for arg in op.args[:2])
        if kinds:
            renderer = self.operations.get((op.name, kinds[0]), renderer)
        if len(kinds) == 2:
            renderer = self.operations.get((op.name, kinds[0], kinds[1]), renderer)
        if renderer is None:
            kind_names = ", ".join(kind.value for kind in kinds)
            raise TypeError(f"{self.name} has no SQL for {op.name}({kind_names})")
        return template(renderer, *nodes) if isinstance(renderer, str) else renderer(self, op, nodes)

    null_safe: Mapping[str, str]
    """``eq`` and ``ne`` where an argument may be NULL, which equals NULL alone, as None does."""

    # -- schema ----------------------------------------------------------------------------

    def column_type(self, type: ValueType) -> str:
        """The type of a column that stores values of ``type``."""
        stored = stored_type(type)
        kind = stored.kind
        if kind is Kind.ENUM:
            kind = Kind.INT if isinstance(stored.members[0], int) else Kind.STR
        return self.column_types[kind]

    def indexed_type(self, type: ValueType) -> str:
        """The type of a column that has an index, where it cannot be the same."""
        return self.column_type(type)

    def indexed_part(self, words: str) -> str:
        """What an index says after a column of the type, where it cannot hold all of a value."""
        return ""

    def sql_type(self, type: ValueType) -> str:
        """The type to CAST to."""
        return self.column_type(type).split(" COLLATE ")[0]

    def check(self, type: ValueType, column: str) -> str | None:
        """What CHECK asks of a column, where its type alone would take too much."""
        members = stored_type(type).members
        if not members:
            return None
        return f"{self.quote(column)} IN ({', '.join(self.quoted(member) for member in members)})"

    # -- values ----------------------------------------------------------------------------

    def to_db(self, type: ValueType) -> Convert | None:
        """From a Python value to what the driver takes, refusing what could not come back.

        None where values pass as they are. A None passes where the type is nullable.
        """
        type = stored_type(type)
        check = checker(type.optional(False))
        form = self._to_column(type)
        if form is None:
            return with_glance(optional(type, check), type)
        to_column = form
        return with_glance(optional(type, lambda value: to_column(check(value))), type, form)

    def from_db(self, type: ValueType) -> Convert | None:
        """From what the driver gives to the Python value; None where it is that already."""
        type = stored_type(type)
        if type.kind is Kind.ENUM:
            members = {member.value: member for member in type.python}
            return optional(type, members.__getitem__)
        convert = self._from_column(type)
        return None if convert is None else optional(type, convert)

    def _to_column(self, type: ValueType) -> Convert | None:
        """From a checked value in its plainest form; JSON is text already, an Enum its value."""
        return None

    @abstractmethod
    def _from_column(self, type: ValueType) -> Convert | None: ...


_NULL_SAFE = frozenset({"eq", "ne"})
