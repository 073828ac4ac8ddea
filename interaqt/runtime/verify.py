"""Verifying: every derived value is worked out anew in SQL and compared with what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from interaqt.core.computations import Derivation, HostRule
from interaqt.core.computations.aggregation import HOST
from interaqt.core.model import Property
from interaqt.runtime.derive import Derive
from interaqt.runtime.hosts import assigned
from interaqt.runtime.planner import Planner
from interaqt.storage.database import Executor

__all__ = ["Difference", "verify"]


@attrs.frozen
class Difference:
    """A stored value, or a derived record, that is not what its declaration says."""

    attribute: str
    key: Any
    stored: Any
    expected: Any

    def __str__(self) -> str:
        return f"{self.attribute} of {self.key!r} is {self.stored!r}, but should be {self.expected!r}"


def verify(planner: Planner, executor: Executor) -> Iterator[Difference]:
    """Every difference there is. Each rule is compared with the values that it reads, as stored.

    So a wrong value is reported once, where it went wrong, and not again wherever it is used.
    """
    for rule in planner.graph.rules:
        if isinstance(rule, HostRule):
            yield from _values(planner, executor, rule)
        else:
            yield from _derivation(planner, executor, rule)


def _values(planner: Planner, executor: Executor, rule: HostRule) -> Iterator[Difference]:
    host = rule.property.record
    expected = assigned([rule], rule.recomputed)
    statement = planner.statements.differing(host, HOST, expected)
    for key, *cells in statement.run(executor, {}).fetchall():
        found = _value(planner, host.key, key)
        for each, stored, wanted in zip(expected, cells[::2], cells[1::2], strict=True):
            values = _value(planner, each, stored), _value(planner, each, wanted)
            if values[0] != values[1]:
                yield Difference(str(each), found, *values)


def _value(planner: Planner, attribute: Property, stored: Any) -> Any:
    convert = planner.schema.dialect.from_db(attribute.type.optional())
    return stored if convert is None else convert(stored)


def _derivation(planner: Planner, executor: Executor, rule: Derivation) -> Iterator[Difference]:
    reaction = Derive(planner, rule, (), near=True)
    present = reaction.all_present(executor)
    for source, wanted in reaction.all_wanted(executor):
        for index, values in wanted.items():
            found = present.pop((source, index), None)
            shown = None if found is None else {name: found[name] for name in values}
            if shown != values:
                yield Difference(str(rule), (source, index), shown, values)
    for place, found in present.items():
        yield Difference(str(rule), place, found, None)
