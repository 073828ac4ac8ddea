"""Provenance: why a value is what it is - its rule, what it depends on, and the records behind it now."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import attrs

from interaqt.core.computations import AggregateRule, ComparedRule, HostRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.expressions import TRUE, Const, Expr, Root
from interaqt.core.model import Attribute, ComputedProperty, Constant, Property, RecordModel, Reference
from interaqt.core.record import Record, key_of
from interaqt.runtime.planner import Planner
from interaqt.storage.prepared import KEY
from interaqt.storage.storage import Storage

__all__ = ["Contribution", "Explanation", "explain_value"]

#: How many records behind a value are listed at most.
MOST_ROWS = 100


@attrs.frozen(eq=False)
class Contribution:
    """A record behind a value, with what it adds to each of the sums that the value follows from."""

    record: Any
    adds: tuple[Any, ...]

    def __str__(self) -> str:
        name = f"{type(self.record).__name__}#{key_of(self.record)}"
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

    def __str__(self) -> str:
        lines = [f"{self.attribute} = {self.value!r}", f"  by {self.rule}"]
        if self.depends_on:
            lines.append(f"  which reads {', '.join(self.depends_on)}")
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
    rule = next((each for each in model.root.rules if each.property is attribute), None)
    rows: list[Contribution] = []
    depends: tuple[str, ...] = ()
    if rule is not None:
        reads = {
            f"{read.record}.{read.name}"
            for read in planner.graph.reads[rule]
            if not isinstance(read.record.attributes[read.name], Constant)
        }
        if isinstance(rule, HostRule):
            reads.add(str(rule.collection))
            rows = list(_rows(planner, storage, rule, key_of(record)))
        depends = tuple(sorted(reads))
    return Explanation(
        str(attribute),
        getattr(current, name),
        _rule(attribute),
        depends,
        tuple(rows[:MOST_ROWS]),
        len(rows) > MOST_ROWS,
    )


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
    adds: list[Expr] = [each.contribution for each in rule.sums] if isinstance(rule, AggregateRule) else []
    where = rule.condition if isinstance(rule, ComparedRule) else rule.collection.where or TRUE
    statement = planner.statements.reaching(
        link, (rule.collection.via.name,), LINK, [Root(LINK, link), *adds], where=where, limit=MOST_ROWS + 1
    )
    from_db = planner.schema.dialect.from_db
    converters = [from_db(link.key.type), *(from_db(each.type) for each in adds)]
    with storage.executor() as executor:
        found = statement.run(executor, {KEY: key}).fetchall()
    rows = [
        [cell if convert is None else convert(cell) for convert, cell in zip(converters, row, strict=True)]
        for row in found
    ]
    counted = [row for row in rows if not adds or any(row[1:]) or all(isinstance(each, Const) for each in adds)]
    ghosts = storage.loader.ghosts(link, [row[0] for row in counted])
    for ghost, (_, *values) in zip(ghosts, counted, strict=True):
        yield Contribution(ghost, tuple(values))
