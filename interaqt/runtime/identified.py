"""Creating records that have an identity: what is there already is found, and nothing is said to have come.

The database decides, by ``ON CONFLICT DO NOTHING``: of two transactions that make the same record,
one waits for the other and then finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.errors import IdentityConflictError, StorageError
from interaqt.core.expressions import BOOL, Attr, Op, Param, Root, all_of
from interaqt.core.model import RecordModel
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Overtaken
from interaqt.storage.prepared import Image, Reader

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Created, Run
    from interaqt.storage.prepared import Prepared

__all__ = ["Identified"]

_ROOT = "same"

#: What is found may be deleted before it is read; more often than this it never is.
_TRIES = 4


class Identified:
    """Creates records of one kind; made once, when first needed."""

    def __init__(self, planner: Planner, record: RecordModel) -> None:
        assert record.identity is not None
        self.planner = planner
        self.record = record
        self.table = record.root
        self.identity = record.identity
        self._names = tuple(each.name for each in self.identity.attributes)
        rows = planner.rows(record)
        self._told = rows.told_reader
        self._returned = Reader(planner.schema, (*rows.told, *self.identity.attributes))
        self._convert_key = planner.schema.dialect.from_db(record.key.type)
        apart = {record.key.name, *self._names, *(each.name for each in self.table.sequences)}
        self._others = frozenset(
            each.name for each in planner.rows(record).given if each.name not in apart and not each.hidden
        )

    def create(self, run: Run, rows: Sequence[Image]) -> list[Created]:
        """The records of the rows, in order: those that were not there are new, the others are found."""
        made: dict[tuple[Any, ...], Created] = {}
        again: list[Image] = []
        missing = list(rows)
        for _ in range(_TRIES):
            first = {self._identity(row): row for row in reversed(missing)}
            again += [row for row in missing if first[self._identity(row)] is not row]
            kept = [row for row in missing if first[self._identity(row)] is row]
            created = self._created(run, kept) if not self.table.sequences else self._numbered(run, kept)
            made |= {self._identity(each.image): each for each in created}
            missing = []
            for row in kept:
                if self._identity(row) not in made:
                    found = self._found(run, row)
                    if found is None:
                        missing.append(row)
                    else:
                        made[self._identity(row)] = found
            if not missing:
                for row in again:
                    self._meet(run, made[self._identity(row)].key, row)
                return [made[self._identity(row)] for row in rows]
        for row in missing:
            # A database that passes over rows for any reason says now for which.
            run.insist(self.record, row)
        raise StorageError(f"{self.record} records come and go while they are made", code="identity.busy")

    def _identity(self, row: Image) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._names)

    # -- new ones

    def _created(self, run: Run, rows: Sequence[Image]) -> list[Created]:
        images, result = run.insert(run.planner.rows(self.record), rows)
        if len(rows) == 1:
            told = {self._identity(images[0]): self._told.image(row) for row in result.fetchall()}
        else:
            found = (self._returned.image(row) for row in result.fetchall())
            told = {self._identity(image): image for image in found}
        fresh = [{**image, **told[self._identity(image)]} for image in images if self._identity(image) in told]
        return run.came(self.record, fresh)

    def _numbered(self, run: Run, rows: Sequence[Image]) -> list[Created]:
        """The same of records that take a number, which what is there already must not."""
        fresh = [row for row in rows if self._find.run(run.tx, row).fetchone() is None]
        created = self._created(run, fresh) if fresh else []
        if len(created) < len(fresh):
            raise Overtaken(f"another transaction has made a {self.record} after it was looked for")
        return created

    # -- those that are there

    @cached_property
    def _find(self) -> Prepared:
        root = Root(_ROOT, self.table)
        same = [
            Op("eq", (Attr(root, each.name, each.type), Param(each.name, each.type)), BOOL)
            for each in self.identity.attributes
        ]
        values = [Attr(root, name, self.table.attributes[name].type) for name in self.table.telling]  # type: ignore[attr-defined]
        return self.planner.statements.find(self.table, _ROOT, all_of(*same), values)

    def _found(self, run: Run, row: Image) -> Created | None:
        found = self._find.run(run.tx, row).fetchone()
        if found is None:
            return None
        key = self._key(found[0])
        if self.table.family is not None:
            self._require_kind(self.table.family.members[found[1]], key, row)
        return run.known(self.record, {self.record.key.name: key}) if self._meet(run, key, row) else None

    def _key(self, stored: Any) -> Any:
        return stored if self._convert_key is None else self._convert_key(stored)

    def _meet(self, run: Run, key: Any, row: Image) -> bool:
        """Do what is declared with a row's other values; False where the record is gone."""
        if self.identity.conflict == "keep" or not self._others:
            return True
        old = run.read(self.table, key, self._others)
        if old is None:
            return False
        values = {name: row[name] for name in self._others if name in row}
        if self.identity.conflict == "update":
            run.change(self.table, old, values)
            return True
        differing = tuple(name for name in sorted(values) if values[name] != old[name])
        if differing:
            raise IdentityConflictError(
                f"there is a {self.record} with {self._shown(row)} already, and its {', '.join(differing)} differ"
                + ("s" if len(differing) == 1 else ""),
                record=self.record.name,
                key=key,
                properties=differing,
                hint='identity_conflict="update" would change it, "keep" would leave it as it is',
            )
        return True

    def _require_kind(self, kind: RecordModel, key: Any, row: Image) -> None:
        """What is found must be what was to be made: a record stays of the kind that it is."""
        if not kind.is_a(self.record):
            raise IdentityConflictError(
                f"there is a {kind} with {self._shown(row)} already, and it is no {self.record}",
                record=self.record.name,
                key=key,
                properties=(),
                hint=f"{self.record} and {kind} are known by the same values, so both can't be there",
            )

    def _shown(self, row: Image) -> str:
        return ", ".join(f"{name} {row[name]!r}" for name in self._names)

    def steps(self) -> Iterator[Step]:
        """What may follow where one is there already."""
        yield Step(self._find.sql, f"the {self.record} that is there already")
        if self.identity.conflict != "keep" and self._others:
            yield Step(self.planner.rows(self.table).read(self._others)[0].sql, "what it is, locked")
        if self.identity.conflict == "update":
            yield from self.planner.listing.change(self.table, self._others, "it becomes what is made")
