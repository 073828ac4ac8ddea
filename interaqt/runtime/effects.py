"""Mutations: what a dispatch did to records, in causal order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

__all__ = ["Mutation", "MutationKind"]

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
