"""Wanted: what should follow from records by a derivation, and what there is of it, for many sources at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.computations import Derivation, Variant
from interaqt.core.computations.transform import SOURCE
from interaqt.core.expressions import BOOL, STR, TRUE, Attr, Const, Expr, Op, Root, negate
from interaqt.core.model import RecordModel
from interaqt.core.types import Kind
from interaqt.runtime.memory import tokens
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Place", "Said", "Wanted"]

#: The root of the records that are derived.
MADE = "made"

#: Where a derived record belongs: the key of its source, and which of the source's it is.
Place = tuple[Any, int]


@attrs.frozen(eq=False)
class Said:
    """What there should be of one source: by index, of which kind and with which values.

    Without what somebody has ended; ``outlived`` is what the source still remembers of that and
    does not want any more, and ``remembered`` all the rest that it does.
    """

    records: dict[int, tuple[RecordModel, dict[str, Any]]]
    outlived: frozenset[str]
    remembered: frozenset[str]


class Wanted:
    """Of one derivation."""

    def __init__(self, planner: Planner, rule: Derivation) -> None:
        self.planner = planner
        self.rule = rule
        self._source = Root(SOURCE, rule.source)
        self._tokens = frozenset(rule.token(variant.index) for variant in rule.variants)

    # -- what there should be

    def of(self, run: Run, keys: Sequence[Any]) -> dict[Any, Said]:
        """What there should be of each source that there is; they are locked."""
        if len(keys) == 1:
            found = self.ask.run(run.tx, {KEY: keys[0]})
        else:
            found = self._ask_rows.run(run.tx, [{KEY: key} for key in keys])
        return dict(self._read(row) for row in found.fetchall())

    def all(self, executor: Executor) -> Iterator[tuple[Any, Said]]:
        """What there should be of every source."""
        statement = self.planner.statements.find(self.rule.source, SOURCE, TRUE, self._cells)
        return map(self._read, statement.run(executor, {}).fetchall())

    def _read(self, row: Sequence[Any]) -> tuple[Any, Said]:
        cells = iter(row)
        key = self._value(self._source, next(cells))
        known = tokens(next(cells))
        records: dict[int, tuple[RecordModel, dict[str, Any]]] = {}
        for variant in self.rule.variants:
            holds = bool(next(cells))
            values = {name: self._value(expr, next(cells)) for name, expr in variant.values.items()}
            if holds:
                records[variant.index] = variant.record, values
        wanted = {self.rule.token(index) for index in records} if known else set()
        said = {index: found for index, found in records.items() if not known or self.rule.token(index) not in known}
        outlived = frozenset(known & self._tokens - wanted)
        return key, Said(said, outlived, frozenset(known - outlived))

    def _value(self, expr: Expr, stored: Any) -> Any:
        convert = self.planner.schema.dialect.from_db(expr.type.optional())
        return stored if convert is None else convert(stored)

    @cached_property
    def _cells(self) -> list[Expr]:
        ended = self.rule.ended
        remembered = Const(None, STR.optional()) if ended is None else Attr(self._source, ended.name, ended.type)
        cells: list[Expr] = [self._source, remembered]
        for variant in self.rule.variants:
            cells.append(variant.condition)
            cells += (_guarded(variant, expr) for expr in variant.values.values())
        return cells

    @cached_property
    def ask(self) -> Prepared:
        return self.planner.statements.reaching(self.rule.source, (), SOURCE, self._cells, lock=True)

    @cached_property
    def _ask_rows(self) -> PreparedRows:
        rule = self.rule
        return self.planner.statements.by_rows(rule.source, rule.source.key, rule.source.key, SOURCE, self._cells)

    # -- what there is

    def present(self, run: Run, keys: Sequence[Any]) -> dict[Place, Image]:
        """What there is of each source, locked."""
        if not keys:
            return {}
        if len(keys) == 1:
            found = self.look.run(run.tx, {KEY: keys[0]})
        else:
            found = self._look_rows.run(run.tx, [{KEY: key} for key in keys])
        return self._placed(found.fetchall())

    def all_present(self, executor: Executor) -> dict[Place, Image]:
        """What there is of every source."""
        link = self.rule.link
        condition = negate(Op("is_null", (Attr(Root(MADE, self.rule.record), link.name, link.type),), BOOL))
        statement = self.planner.statements.find(self.rule.record, MADE, condition, self._made)
        return self._placed(statement.run(executor, {}).fetchall())

    def _placed(self, rows: Sequence[Any]) -> dict[Place, Image]:
        images = map(self._reader.image, rows)
        return {(image[self.rule.link.name], image[self.rule.position.name]): image for image in images}

    def kind_of(self, image: Image) -> RecordModel:
        """Of which kind a derived record is."""
        family = self.rule.record.family
        return self.rule.record if family is None else family.members[image[family.kind.name]]

    def follows(self, image: Image, name: str) -> bool:
        """Whether an attribute of a derived record is what its source says: nobody else has changed it."""
        own = self.rule.own.get(name)
        return own is None or not image[own.name]

    @cached_property
    def given(self) -> frozenset[str]:
        """What sources say of their records."""
        return frozenset(name for variant in self.rule.variants for name in variant.values)

    @cached_property
    def _columns(self) -> tuple[Stored, ...]:
        rule = self.rule
        names = {rule.link.name, rule.position.name, *(each.name for each in rule.own.values())}
        return self.planner.attributes(rule.record, names | self.planner.rows(rule.record).read_before(self.given))

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.planner.schema, self._columns)

    @cached_property
    def _made(self) -> list[Expr]:
        made = Root(MADE, self.rule.record)
        return [Attr(made, each.name, each.type) for each in self._columns]

    @cached_property
    def look(self) -> Prepared:
        return self.planner.statements.reaching(self.rule.record, (self.rule.link.name,), MADE, self._made, lock=True)

    @cached_property
    def _look_rows(self) -> PreparedRows:
        rule = self.rule
        return self.planner.statements.by_rows(rule.record, rule.link, rule.source.key, MADE, self._made)


def _guarded(variant: Variant, expr: Expr) -> Expr:
    """The value where the variant exists: elsewhere it need not even be computable."""
    if isinstance(variant.condition, Const) or expr.type.kind is Kind.JSON:
        return expr
    return Op("case", (variant.condition, expr, Const(None, expr.type.optional())), expr.type.optional())
