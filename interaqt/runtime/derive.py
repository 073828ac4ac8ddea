"""Deriving: records that exist because of another record are made, changed and deleted with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import Derivation, Variant
from interaqt.core.computations.aggregation import BOOL
from interaqt.core.computations.transform import SOURCE
from interaqt.core.expressions import TRUE, Attr, Const, Expr, Op, Root, negate
from interaqt.core.model import RecordModel
from interaqt.core.types import Kind
from interaqt.runtime.graph import Path
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.runtime.spread import step_along
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY, Image, Prepared, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Derive"]

#: What there should be of one source: by index, of which kind and with which values.
Wanted = dict[int, tuple[RecordModel, dict[str, Any]]]


class Derive(Reaction):
    """Brings the derived records of each concerned source to what the rule says now.

    It compares what there should be with what there is, so it can wait until all is written on
    which that depends: a record that would come and go on the way is never made.
    """

    def __init__(self, planner: Planner, rule: Derivation, paths: Sequence[Path], near: bool) -> None:
        self.planner = planner
        self.rule = rule
        self.rules = (rule,)
        self.over = rule.source
        self.paths = tuple(paths)
        self.near = near
        self.source = Root(SOURCE, rule.source)
        self.reads = frozenset({rule.source.key.name} | {record.key.name for record in self._records()})

    def _records(self) -> Iterator[Any]:
        for path in self.paths:
            yield step_along(self.source, path).type.record

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        sources: dict[Any, None] = {}
        for old, new in pairs:
            known = new or old
            assert known is not None
            if self.near:
                sources[known[self.rule.source.key.name]] = None
            for path, statement in zip(self.paths, self._finding, strict=True):
                record = step_along(self.source, path).type.record
                assert record is not None
                for (stored,) in statement.run(run.tx, {KEY: known[record.key.name]}).fetchall():
                    sources[self._from_key(stored)] = None
        due = run.later(self)
        for key in sources:
            # Whether nothing is derived of it yet.
            due.setdefault(key, pairs[0][0] is None)

    def bring(self, run: Run, due: Mapping[Any, bool]) -> None:
        for key, fresh in due.items():
            self._bring(run, key, fresh)

    def _bring(self, run: Run, key: Any, fresh: bool) -> None:
        """Make, change and delete what is derived from one source; from a ``fresh`` one nothing is yet."""
        if run.is_ending(self.rule.source, key):
            return
        wanted = self._wanted(run, key)
        existing = {} if fresh else self._existing(run, key)
        position, name_of_key = self.rule.position.name, self.rule.record.key.name
        missing: dict[RecordModel, list[Image]] = {}
        for index, (kind, values) in wanted.items():
            complete = run.values_of(kind, values)
            if index not in existing or self._is_another(existing[index], kind, complete, values):
                missing.setdefault(kind, []).append({**complete, self.rule.link.name: key, position: index})
                continue
            found = existing.pop(index)
            changes = {name: complete[name] for name in values if complete[name] != found[name]}
            if changes:
                run.update(self.rule.record, found[name_of_key], changes)
        if missing:
            # What has the place of another kind makes room for it.
            taken = {row[position] for rows in missing.values() for row in rows} & existing.keys()
            run.delete(self.rule.record, [existing.pop(index)[name_of_key] for index in sorted(taken)])
        for kind, rows in missing.items():
            run.create(kind, rows)
        run.delete(self.rule.record, [found[name_of_key] for found in existing.values()])

    def _is_another(self, found: Image, kind: RecordModel, complete: Image, values: Mapping[str, Any]) -> bool:
        """Whether what there should be can't be what there is: it is of another kind, or is counted elsewhere."""
        if self._kind(found) is not kind:
            return True
        return any(complete[name] != found[name] for name in self._counted_by if name in values)

    @cached_property
    def _counted_by(self) -> frozenset[str]:
        return frozenset(each.name for rule in self.rule.record.sequences for each in rule.scope)

    def _kind(self, image: Image) -> RecordModel:
        family = self.rule.record.family
        return self.rule.record if family is None else family.members[image[family.kind.name]]

    # -- what there should be

    def _wanted(self, run: Run, key: Any) -> Wanted:
        row = self._select.run(run.tx, {KEY: key}).fetchone()
        return {} if row is None else self._read(row)

    def all_wanted(self, executor: Executor) -> Iterator[tuple[Any, Wanted]]:
        """What there should be for every source, with the source's key."""
        statement = self.planner.statements.find(self.rule.source, SOURCE, TRUE, [self.source, *self._cells])
        for key, *row in statement.run(executor, {}).fetchall():
            yield self._from_key(key), self._read(row)

    def _read(self, row: Sequence[Any]) -> Wanted:
        wanted: Wanted = {}
        cells = iter(row)
        for variant in self.rule.variants:
            holds = bool(next(cells))
            values = {name: self._value(expr, next(cells)) for name, expr in variant.values.items()}
            if holds:
                wanted[variant.index] = variant.record, values
        return wanted

    def _value(self, expr: Expr, stored: Any) -> Any:
        convert = self.planner.schema.dialect.from_db(expr.type.optional())
        return stored if convert is None else convert(stored)

    @cached_property
    def _cells(self) -> list[Expr]:
        cells: list[Expr] = []
        for variant in self.rule.variants:
            cells.append(variant.condition)
            cells += (_guarded(variant, expr) for expr in variant.values.values())
        return cells

    @cached_property
    def _select(self) -> Prepared:
        return self.planner.statements.reaching(self.rule.source, (), SOURCE, self._cells, lock=True)

    # -- what there is

    def _existing(self, run: Run, key: Any) -> dict[int, Image]:
        rows = self._present.run(run.tx, {KEY: key}).fetchall()
        images = (self._reader.image(row) for row in rows)
        return {image[self.rule.position.name]: image for image in images}

    def all_present(self, executor: Executor) -> dict[tuple[Any, int], dict[str, Any]]:
        """What there is for every source, by source and index."""
        made, link = Root("made", self.rule.record), self.rule.link
        source = Attr(made, link.name, link.type)
        condition = negate(Op("is_null", (source,), BOOL))
        values = [source, *(Attr(made, each.name, each.type) for each in self._columns)]
        statement = self.planner.statements.find(self.rule.record, "made", condition, values)
        found = {}
        for key, *row in statement.run(executor, {}).fetchall():
            image = self._reader.image(row)
            found[self._from_key(key), image[self.rule.position.name]] = image
        return found

    @cached_property
    def _columns(self) -> tuple[Stored, ...]:
        names = {*self.rule.record.telling, self.rule.position.name}
        for variant in self.rule.variants:
            names |= set(variant.values)
        return self.planner.attributes(self.rule.record, names)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.planner.schema, self._columns)

    @cached_property
    def _present(self) -> Prepared:
        made = Root("made", self.rule.record)
        values = [Attr(made, each.name, each.type) for each in self._columns]
        return self.planner.statements.reaching(self.rule.record, (self.rule.link.name,), "made", values, lock=True)

    # -- whom a change far away concerns

    @cached_property
    def _finding(self) -> tuple[Prepared, ...]:
        return tuple(
            self.planner.statements.reaching(self.rule.source, path, SOURCE, [self.source]) for path in self.paths
        )

    def _from_key(self, stored: Any) -> Any:
        convert = self.planner.schema.dialect.from_db(self.rule.source.key.type)
        return stored if convert is None else convert(stored)

    def steps(self) -> Iterator[Step]:
        for statement in self._finding:
            yield Step(statement.sql, f"which {self.rule.source} records {self.rule} is derived from")
        yield Step(self._select.sql, f"what {self.rule} should be")
        yield Step(self._present.sql, f"what {self.rule} is, unless its source is new")
        yield Step(self.planner.rows(self.rule.record).insert.sql, f"{self.rule}: make what is missing")


def _guarded(variant: Variant, expr: Expr) -> Expr:
    """The value where the variant exists: elsewhere it need not even be computable."""
    if isinstance(variant.condition, Const) or expr.type.kind is Kind.JSON:
        return expr
    return Op("case", (variant.condition, expr, Const(None, expr.type.optional())), expr.type.optional())
