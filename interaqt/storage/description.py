"""What a model is in its database: tables, records and constraints, to be read by programs.

``system.storage.schema`` has them. They say what is declared; once a controller is set up, the
database's own catalogue says the same.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["ConstraintKind", "RecordKind", "StoredColumn", "StoredConstraint", "StoredRecord", "StoredTable"]

ConstraintKind = Literal["unique", "check", "not_null", "foreign_key"]
RecordKind = Literal["entity", "relation", "view", "dictionary"]


@attrs.frozen
class StoredColumn:
    """A column and the attribute that it holds; ``type`` is in the database's words."""

    name: str
    attribute: str
    type: str
    nullable: bool
    key: bool = False


@attrs.frozen
class StoredTable:
    """A table; ``record`` is the name of the entity or relation whose rows it has."""

    name: str
    record: str
    columns: tuple[StoredColumn, ...]

    def column(self, attribute: str) -> StoredColumn:
        """The column of an attribute."""
        return next(each for each in self.columns if each.attribute == attribute)


@attrs.frozen
class StoredRecord:
    """An entity, a relation, a view or a dictionary: where it is stored, and by which attributes it is known.

    A view has some rows of the table of the record that it is ``part_of``.
    """

    name: str
    kind: RecordKind
    table: str
    key: str
    attributes: tuple[str, ...]
    ends: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    part_of: str | None = None


@attrs.frozen
class StoredConstraint:
    """A named constraint of a table; ``properties`` are attributes, ``columns`` where they are.

    ``condition`` is SQL: of which rows the values are unique, or what is checked of each row.
    ``violation_code`` is what its declaration calls a violation, ``target`` the table that a
    foreign key leads to.
    """

    name: str
    kind: ConstraintKind
    table: str
    record: str
    properties: tuple[str, ...]
    columns: tuple[str, ...]
    condition: str | None = None
    violation_code: str | None = None
    target: str | None = None
