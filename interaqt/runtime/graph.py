"""The dependency graph: which derived values follow from which attributes, and in what order.

Edges come from the traced expressions alone. A rule may read the contributing record itself and
what its references lead to, so a dependency is a path from that record and an attribute at the
end of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import attrs

from interaqt.core.computations import Rule
from interaqt.core.errors import ComputationCycle
from interaqt.core.expressions import Attr, Expr, Root, walk
from interaqt.core.model import Model, RecordModel

__all__ = ["Graph", "Path", "Read", "path_from", "reads_of"]

Path = tuple[str, ...]


@attrs.frozen
class Read:
    """An attribute that an expression reads: of the record at the end of ``path`` from the root."""

    path: Path
    record: RecordModel
    name: str


def reads_of(expr: Expr, root: str) -> Iterator[Read]:
    """Every attribute that an expression reads, the references along its paths among them."""
    for node in walk(expr):
        if isinstance(node, Attr):
            path = path_from(node.of, root)
            record = node.of.type.record
            if path is not None and record is not None:
                yield Read(path, record.root, node.name)


def path_from(expr: Expr, root: str) -> Path | None:
    """By which references an expression leads away from a root; None where it is not so simple."""
    match expr:
        case Root(name=name):
            return () if name == root else None
        case Attr(of=of, name=name):
            inner = path_from(of, root)
            return None if inner is None else (*inner, name)
        case _:
            return None


class Graph:
    """All rules of a model with what they read, in topological order."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rules: list[Rule] = []
        for record in model.tables():
            self.rules += record.rules
            self.rules += record.sequences
            self.rules += record.derivations
        self.reads: dict[Rule, frozenset[Read]] = {rule: frozenset(_reads(rule)) for rule in self.rules}
        self._before = self._direct()
        self._upstream: dict[Rule, frozenset[Rule]] = {}
        self._level: dict[Rule, int] = {}
        self._followed = {
            (read.record, read.name)
            for rule, reads in self.reads.items()
            for read in reads
            if read.path or not rule.with_row
        }
        # Where a record belongs to decides whom it contributes to.
        self._followed |= {(rule.source, rule.via.name) for rule in self.rules if rule.via is not None}
        for rule in self.rules:
            self.upstream(rule)

    def level(self, rule: Rule) -> int:
        """How many rules stand behind it, one upon the other, at most."""
        return self._level[rule]

    def looks_beyond(self, rule: Rule) -> bool:
        """Whether the rule reads anything but the row of which it keeps a value."""
        return rule.source is not rule.record or any(read.path for read in self.reads[rule])

    def is_followed(self, record: RecordModel, name: str) -> bool:
        """Whether something is to be done about a change of the attribute, beside what is written with it."""
        return (record, name) in self._followed

    def from_rows(self, record: RecordModel) -> Sequence[Rule]:
        """The rules that follow from the rows of a record."""
        return self._from_rows.get(record, ())

    def from_value(self, record: RecordModel, name: str) -> Sequence[Rule]:
        """The rules that read an attribute, or by it know whom a record contributes to."""
        return self._from_values.get((record, name), ())

    @cached_property
    def _from_rows(self) -> dict[RecordModel, list[Rule]]:
        found: dict[RecordModel, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.source, []).append(rule)
        return found

    @cached_property
    def _from_values(self) -> dict[tuple[RecordModel, str], list[Rule]]:
        found: dict[tuple[RecordModel, str], list[Rule]] = {}
        for rule in self.rules:
            reads = {(read.record, read.name) for read in self.reads[rule]}
            if rule.via is not None:
                reads.add((rule.source, rule.via.name))
            for each in reads:
                found.setdefault(each, []).append(rule)
        return found

    def upstream(self, rule: Rule, seen: tuple[Rule, ...] = ()) -> frozenset[Rule]:
        """All rules whose outcome the rule reads, directly or through others."""
        if rule in seen:
            raise _cycle([*seen[seen.index(rule) :], rule])
        if rule not in self._upstream:
            found: set[Rule] = set()
            for other in self._before[rule]:
                found |= {other, *self.upstream(other, (*seen, rule))}
            self._upstream[rule] = frozenset(found)
            self._level[rule] = max((self._level[other] for other in self._before[rule]), default=0) + 1
        return self._upstream[rule]

    def _direct(self) -> dict[Rule, list[Rule]]:
        """For each rule those whose outcome it reads directly: values, and records that exist because of one."""
        values: dict[tuple[RecordModel, str], Rule] = {}
        makers: dict[RecordModel, list[Rule]] = {}
        for rule in self.rules:
            if rule.makes_rows:
                makers.setdefault(rule.record, []).append(rule)
            else:
                values[rule.record, rule.name] = rule
        found: dict[Rule, list[Rule]] = {}
        for rule in self.rules:
            # In a fixed order, for what is told of a cycle is the same each time.
            reads = sorted({(read.record.name, read.name, read.record) for read in self.reads[rule]}, key=_by_name)
            records = dict.fromkeys([rule.source, *(record for _, _, record in reads)])
            found[rule] = [maker for record in records for maker in makers.get(record, ())]
            found[rule] += [values[record, name] for _, name, record in reads if (record, name) in values]
        return found


def _by_name(read: tuple[str, str, RecordModel]) -> tuple[str, str]:
    return read[:2]


def _reads(rule: Rule) -> Iterator[Read]:
    for expr in rule.reads():
        yield from reads_of(expr, rule.root)


def _cycle(rules: list[Rule]) -> ComputationCycle:
    lines = [f"{rule}  ({rule.location})" for rule in rules]
    return ComputationCycle(
        "these follow from one another, so none can be worked out first:\n  " + "\n  -> ".join(lines),
        subject=str(rules[0]),
        location=rules[0].location,
        hint="break the circle: let one of them read what the user sets, not what is derived",
    )
