"""Guards: the named constraints of a table, and what each is about in the model's words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import attrs
import peewee

from interaqt.core.constraints import ConstraintModel
from interaqt.core.errors import InvalidEntity, SetupError
from interaqt.core.expressions import Attr, Expr, Root
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.storage.description import ConstraintKind, StoredConstraint
from interaqt.storage.names import object_name
from interaqt.storage.sql import inline, render

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["Guard", "add_guard", "declared_guards", "declared_unique"]


@attrs.frozen(eq=False)
class Guard:
    """A named constraint."""

    name: str
    kind: str
    """As in :class:`~interaqt.storage.database.Violation`."""
    record: RecordModel
    attributes: tuple[Property | Reference, ...]
    condition: str = ""
    """SQL: of which rows the values are unique, or what is checked of each row."""
    code: str | None = None
    """What the declaration calls a violation."""

    def described(self) -> StoredConstraint:
        """The constraint, for programs."""
        first = self.attributes[0]
        return StoredConstraint(
            name=self.name,
            kind=cast("ConstraintKind", self.kind),
            table=self.record.table,
            record=self.record.name,
            properties=tuple(each.name for each in self.attributes),
            columns=tuple(each.column for each in self.attributes),
            condition=self.condition or None,
            violation_code=self.code,
            target=first.target.table if self.kind == "foreign_key" and isinstance(first, Reference) else None,
        )


def declared_guards(record: RecordModel, dialect: Dialect, taken: set[str]) -> Iterator[Guard]:
    """What ``constraints=`` say beyond what a plain UNIQUE can; ``taken`` are names that exist already."""
    for each in record.constraints:
        if each.condition is None:
            continue
        if each.kind == "unique" and dialect.partial_unique is None:
            raise SetupError(
                f"{dialect.name} has no unique index over some of a table's rows",
                code="setup.partial_unique",
                subject=f"{record}: {each}",
                location=each.location,
                hint="leave where= out, or keep the rule in a guard",
            )
        condition = _sql(each.condition, dialect)
        yield Guard(_name(each, condition, taken), each.kind, record, each.attributes, condition, each.code)


def declared_unique(record: RecordModel, group: tuple[Property | Reference, ...]) -> ConstraintModel | None:
    """The ``iq.Unique`` without a condition that is about a group of attributes."""
    for each in record.constraints:
        if each.kind == "unique" and each.condition is None and set(each.attributes) == set(group):
            return each
    return None


def add_guard(guard: Guard, dialect: Dialect) -> str:
    """The statement that adds a unique index or a check to a table."""
    name, table = dialect.quote(guard.name), dialect.quote(guard.record.table)
    if guard.kind != "unique":
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({guard.condition})"
    columns = ", ".join(dialect.quote(each.column) for each in guard.attributes)
    if not guard.condition:
        return f"CREATE UNIQUE INDEX {name} ON {table} ({columns})"
    assert dialect.partial_unique is not None
    return dialect.partial_unique.format(name=name, table=table, columns=columns, condition=guard.condition)


def _sql(condition: Expr, dialect: Dialect) -> str:
    """A condition over the row's own columns, with its constants in it."""

    def leaf(expr: Expr) -> peewee.Node | None:
        if isinstance(expr, Root):
            return peewee.Entity(expr.record.key.column)
        if not isinstance(expr, Attr):
            return None
        if not isinstance(expr.of, Root):
            return leaf(expr.of)  # the key of a reference, which is what its column holds
        attribute = expr.of.record.attributes[expr.name]
        assert isinstance(attribute, Property | Reference)
        return peewee.Entity(attribute.column)

    return inline(render(condition, dialect, leaf), dialect)


def _name(constraint: ConstraintModel, condition: str, taken: set[str]) -> str:
    name = constraint.name
    if name is None:
        # A rule that is changed is another one: its name tells.
        mark = hashlib.blake2s(condition.encode(), digest_size=4).hexdigest()
        columns = [each.column for each in constraint.attributes]
        suffix = {"unique": "key", "check": "check", "not_null": "not_null"}[constraint.kind]
        name = object_name(constraint.record.table, [*columns, mark], suffix)
    return reserved(name, constraint, taken)


def reserved(name: str, constraint: ConstraintModel, taken: set[str]) -> str:
    """The name, which no other constraint may have from now on."""
    wrong = ""
    if name in taken:
        wrong = "is that of another constraint"
    elif len(name.encode()) > 63 or "\0" in name:
        wrong = "is longer than the 63 bytes that databases keep of a name"
    if wrong:
        raise InvalidEntity(
            f"the name {name!r} {wrong}",
            code="constraint.name",
            subject=f"{constraint.record}: {constraint}",
            location=constraint.location,
            hint="give it a name of its own: name=...",
        )
    taken.add(name)
    return name
