"""Mutations: what a dispatch did to records, in causal order.

Of a view it is told what came of all writes together: a record that was in it and is not any more
was deleted there, however often it came and went in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

__all__ = ["Effect", "Membership", "Mutation", "MutationKind", "Touched", "told"]

MutationKind = Literal["create", "update", "delete"]


@attrs.define(eq=False)
class Mutation:
    """One change of one record.

    ``names`` are the attributes that were written by an update. ``values`` and ``old`` hold what
    is known of the row after and before: all of it for records that a side effect observes,
    otherwise what the dispatch needed anyway.
    """

    kind: MutationKind
    record: type
    key: Any
    names: frozenset[str] = frozenset()
    values: Mapping[str, Any] | None = None
    old: Mapping[str, Any] | None = None


@attrs.define(eq=False)
class Membership:
    """Whether one record was in a view before one write, and whether it is after it.

    ``names``, ``values`` and ``old`` are those of the record's own mutation, where that was it.
    """

    view: type
    key: Any
    was: bool
    now: bool
    names: frozenset[str] = frozenset()
    values: Mapping[str, Any] | None = None
    old: Mapping[str, Any] | None = None


@attrs.define(eq=False)
class Touched:
    """Updates of several records of which nothing but the names is known."""

    record: type
    keys: Sequence[Any]
    names: frozenset[str]

    def each(self) -> Iterator[Mutation]:
        """The update of each."""
        return (Mutation("update", self.record, key, self.names) for key in self.keys)


#: What a run notes of a write.
Effect = Mutation | Membership | Touched


def told(events: Iterable[Mutation | Membership]) -> list[Mutation]:
    """The mutations, with one for each record that came into a view, left it, or changed in it."""
    events = list(events)
    stays: dict[tuple[type, Any], list[Membership]] = {}
    for each in events:
        if isinstance(each, Membership):
            stays.setdefault((each.view, each.key), []).append(each)
    found: list[Mutation] = []
    for each in events:
        if isinstance(each, Mutation):
            found.append(each)
        else:
            known = stays[each.view, each.key]
            if each is _deciding(known):
                found += _mutation(known, each)
    return found


def _deciding(known: list[Membership]) -> Membership:
    """The event that made the record what it is to the view in the end."""
    moves = [each for each in known if each.was != each.now]
    return moves[-1] if known[0].was != known[-1].now else known[-1]


def _mutation(known: list[Membership], last: Membership) -> Iterable[Mutation]:
    was, now = known[0].was, known[-1].now
    values = next((each.values for each in reversed(known) if each.values is not None), None)
    if now and not was:
        yield Mutation("create", last.view, last.key, values=values)
    elif was and not now:
        # What it was when it left.
        yield Mutation("delete", last.view, last.key, old=last.old)
    else:
        names = frozenset[str]().union(*(each.names for each in known))
        old = next((each.old for each in known if each.old is not None), None)
        if was and names:
            yield Mutation("update", last.view, last.key, names, values, old)
