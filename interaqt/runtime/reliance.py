"""Telling what it costs to derive values of many records from one: a warning at setup for each that does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from interaqt.core.computations import Rule
from interaqt.core.computations.aggregation import Aggregation
from interaqt.core.model import Attribute, Constant, Property, RecordModel, Reference
from interaqt.runtime.graph import Graph
from interaqt.storage.storage import Storage

__all__ = ["GlobalDependenceWarning", "warn_of_reliance"]

#: More records than this are not counted.
MOST = 10_000


class GlobalDependenceWarning(UserWarning):
    """A derived value reads a global value that changes: each change then goes through all that it is derived from.

    That is what was asked for, and done by few statements; it is said because it does not show in
    the declaration. ``warnings.filterwarnings("ignore", category=iq.GlobalDependenceWarning)``
    is for who knows.
    """


def warn_of_reliance(graph: Graph, storage: Storage) -> None:
    """Warn of each derived value and each global value that it reads, if that one ever changes."""
    numbers: dict[RecordModel, str] = {}
    for rule, value in _reliance(graph):
        source = rule.source
        if source not in numbers:
            count = storage.query(source.cls).limit(MOST + 1).count()
            numbers[source] = f"more than {MOST:,}" if count > MOST else f"{count:,}"
        warnings.warn(
            f"{rule} depends on {value}, so each change of that goes through every {source} ({numbers[source]} now)",
            GlobalDependenceWarning,
            stacklevel=3,
        )


def _reliance(graph: Graph) -> Iterator[tuple[Rule, Attribute]]:
    for rule in graph.rules:
        for read in sorted(graph.reads[rule], key=lambda each: (each.path, each.name)):
            value = read.record.attributes[read.name]
            if read.path and read.record.is_dictionary and not isinstance(value, Constant) and _changes(value):
                yield rule, value


def _changes(value: object) -> bool:
    if isinstance(value, Property) and isinstance(value.computation, Aggregation):
        return True
    return isinstance(value, Property | Reference) and bool(value.changes)
