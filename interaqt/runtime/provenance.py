"""Provenance: why a value is what it is - its rule, what it depends on, and the records behind it now."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from interaqt.core.computations import (
    AggregateRule,
    ComparedRule,
    CustomRule,
    HostRule,
    OwnCustomRule,
    OwnRule,
    RealTimeRule,
)
from interaqt.core.computations.rule import HOST, LINK
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.expressions import TRUE, Const, Expr, Root
from interaqt.core.model import Attribute, ComputedProperty, Constant, Property, RecordModel, Reference
from interaqt.core.moments import moment
from interaqt.core.record import Record, key_of
from interaqt.core.types import ValueType
from interaqt.runtime.planner import Planner
from interaqt.storage.inputs import inputs_of, own_of
from interaqt.storage.prepared import KEY
from interaqt.storage.storage import Storage

__all__ = ["Contribution", "Explanation", "explain_value"]

#: How many records behind a value are listed at most.
MOST_ROWS = 100


@attrs.frozen(eq=False)
class Contribution:
    """A record behind a value, with what it adds to each of the sums that the value follows from.

    To what Python computes it ``gives`` its inputs.
    """

    record: Any
    adds: tuple[Any, ...] = ()
    gives: tuple[Any, ...] = ()

    def __str__(self) -> str:
        name = f"{type(self.record).__name__}#{key_of(self.record)}"
        if self.gives:
            return f"{name} gives {', '.join(map(repr, self.gives))}"
        return f"{name} adds {', '.join(map(str, self.adds))}" if self.adds else name


@attrs.frozen(eq=False)
class Explanation:
    """Why an attribute of one record is what it is."""

    attribute: str
    value: Any
    rule: str
    depends_on: tuple[str, ...]
    rows: tuple[Contribution, ...]
    more: bool = False
    """Whether there are more records behind it than ``rows`` lists."""
    reads: tuple[Any, ...] = ()
    """What Python is given of the record itself and of what it refers to."""
    expression: str | None = None
    """How the database works it out, where it follows from the record itself."""
    until: dt.datetime | None = None
    """When what is derived from it will see another value: at the first tick from then on."""

    def __str__(self) -> str:
        lines = [f"{self.attribute} = {self.value!r}", f"  by {self.rule}"]
        if self.depends_on:
            lines.append(f"  which reads {', '.join(self.depends_on)}")
        if self.reads:
            lines.append(f"  given {', '.join(map(repr, self.reads))}")
        if self.expression is not None:
            lines.append(f"  as {self.expression}")
        if self.until is not None:
            lines.append(f"  until {self.until}")
        lines += [f"  {row}" for row in self.rows]
        return "\n".join([*lines, *(["  and more"] if self.more else [])])


def explain_value(planner: Planner, storage: Storage, record: Record, name: str) -> Explanation:
    """The explanation of one attribute of a stored record, as it is now."""
    model = storage.record_of(type(record))
    attribute = model.attributes.get(name)
    if attribute is None or getattr(attribute, "hidden", False):
        known = [each.name for each in model.attributes.values() if not getattr(each, "hidden", False)]
        raise InvalidQuery(
            f"{model} has no attribute {name!r}. {did_you_mean(name, known)}",
            code="explain.unknown_attribute",
            subject=f"{model}.{name}",
        )
    current = storage.loader.current(model, key_of(record))
    rule = next((each for each in (*model.root.rules, *model.root.sequences) if each.name == name), None)
    rows: list[Contribution] = []
    own: tuple[Any, ...] = ()
    depends: tuple[str, ...] = ()
    expression, until = None, None
    if rule is not None:
        reads = {
            f"{read.record}.{read.name}"
            for read in planner.graph.reads[rule]
            if not isinstance(read.record.attributes[read.name], Constant)
        }
        if isinstance(rule, HostRule):
            reads.add(str(rule.collection))
            rows = list(_rows(planner, storage, rule, key_of(record)))
        if isinstance(rule, CustomRule | OwnCustomRule) and rule.own is not None:
            own = _own(planner, storage, rule.record, rule.own.exprs, key_of(record))
        if isinstance(rule, OwnRule):
            statement = planner.statements.reaching(rule.record, (), HOST, [rule.expr])
            expression = statement.sql
        if isinstance(rule, RealTimeRule):
            until = _until(planner, storage, rule, key_of(record))
        depends = tuple(sorted(reads))
    return Explanation(
        str(attribute),
        getattr(current, name),
        _derivation(planner, storage, model, attribute, key_of(record)) or _rule(attribute),
        depends,
        tuple(rows[:MOST_ROWS]),
        len(rows) > MOST_ROWS,
        own,
        expression,
        until,
    )


def _until(planner: Planner, storage: Storage, rule: RealTimeRule, key: Any) -> dt.datetime | None:
    statement = planner.statements.read(rule.record, (rule.until,))
    with storage.executor() as executor:
        row = statement.run(executor, {KEY: key}).fetchone()
    return None if row is None or row[0] is None else moment(row[0])


def _derivation(planner: Planner, storage: Storage, model: RecordModel, attribute: Attribute, key: Any) -> str | None:
    """Of what the record was made that follows from another, and gives it the attribute; None where it does not."""
    for rule in model.root.derivations:
        if not any(attribute.name in variant.values for variant in rule.variants):
            continue
        own = rule.own.get(attribute.name)
        statement = planner.statements.read(rule.record, (rule.link, *([] if own is None else [own])))
        with storage.executor() as executor:
            row = statement.run(executor, {KEY: key}).fetchone()
        if row is None or row[0] is None:
            continue
        source = f"{rule} of {rule.source} {_converted(planner, [rule.source.key.type], [row[:1]])[0][0]!r}"
        if own is None:
            return f"{source}, declared at {rule.location}"
        assert isinstance(attribute, Property | Reference)
        changes = ", ".join(each.source.__name__ for each in attribute.changes)
        if row[1]:
            return f"{changes}, and no longer by {source}, declared at {attribute.location}"
        return f"{source}, until {changes} changes it, declared at {rule.location}"
    return None


def _rule(attribute: Attribute) -> str:
    if isinstance(attribute, Property | Reference) and attribute.computation is not None:
        return f"{attribute.computation}, declared at {attribute.location}"
    if isinstance(attribute, ComputedProperty):
        code = inspect.unwrap(attribute.function).__name__
        return f"computed {code}(), declared at {attribute.location}"
    if isinstance(attribute, Property | Reference) and attribute.changes:
        sources = ", ".join(each.source.__name__ for each in attribute.changes)
        return f"what its maker gave, changed by {sources}, declared at {attribute.location}"
    return f"what its maker gave, declared at {attribute.location}"


def _rows(planner: Planner, storage: Storage, rule: HostRule, key: Any) -> Iterator[Contribution]:
    link: RecordModel = rule.collection.link
    if isinstance(rule, CustomRule):
        yield from _inputs(planner, storage, rule, key)
        return
    adds: list[Expr] = [each.contribution for each in rule.sums] if isinstance(rule, AggregateRule) else []
    where = rule.condition if isinstance(rule, ComparedRule) else rule.collection.where or TRUE
    statement = planner.statements.reaching(
        link, (rule.collection.via.name,), LINK, [Root(LINK, link), *adds], where=where, limit=MOST_ROWS + 1
    )
    with storage.executor() as executor:
        found = statement.run(executor, {KEY: key}).fetchall()
    rows = _converted(planner, [link.key.type, *(each.type for each in adds)], found)
    counted = [row for row in rows if not adds or any(row[1:]) or all(isinstance(each, Const) for each in adds)]
    ghosts = storage.loader.ghosts(link, [row[0] for row in counted])
    for ghost, (_, *values) in zip(ghosts, counted, strict=True):
        yield Contribution(ghost, tuple(values))


def _inputs(planner: Planner, storage: Storage, rule: CustomRule, key: Any) -> Iterator[Contribution]:
    """The records of a Custom, each with what it gives."""
    root, exprs = Root(LINK, rule.source), rule.inputs.exprs
    via, most = rule.collection.via, MOST_ROWS + 1
    statement = inputs_of(planner.statements, root, via, [root, *exprs], rule.condition, limit=most)
    with storage.executor() as executor:
        found = statement.run(executor, [{KEY: key}]).fetchall()
    types = [via.type, rule.source.key.type, *(each.type for each in exprs)]
    rows = _converted(planner, types, found)
    ghosts = storage.loader.ghosts(rule.source, [row[1] for row in rows])
    for ghost, (_, _, *values) in zip(ghosts, rows, strict=True):
        yield Contribution(ghost, gives=tuple(values))


def _own(planner: Planner, storage: Storage, host: RecordModel, exprs: Sequence[Expr], key: Any) -> tuple[Any, ...]:
    statement = own_of(planner.statements, Root(HOST, host), exprs)
    with storage.executor() as executor:
        found = statement.run(executor, [{KEY: key}]).fetchall()
    rows = _converted(planner, [host.key.type, *(each.type for each in exprs)], found)
    return tuple(rows[0][1:]) if rows else ()


def _converted(planner: Planner, types: Sequence[ValueType], found: Sequence[Any]) -> list[list[Any]]:
    converters = [planner.schema.dialect.from_db(type.optional()) for type in types]
    return [
        [cell if convert is None else convert(cell) for convert, cell in zip(converters, row, strict=True)]
        for row in found
    ]
