"""Telling side effects: what each is given of a mutation, once that is committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from interaqt.runtime.effects import Mutation
from interaqt.runtime.result import Outcome
from interaqt.runtime.side_effects import RecordChange, SideEffect, run_side_effects

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.storage.storage import Storage

__all__ = ["Telling"]


class Telling:
    """The side effects of one controller."""

    def __init__(self, planner: Planner, storage: Storage, side_effects: Iterable[SideEffect]) -> None:
        self._planner = planner
        self._storage = storage
        self.side_effects = tuple(side_effects)

    def tell(self, mutations: Sequence[Mutation]) -> list[Outcome]:
        """Call each for what it observes; answers what came of it."""
        return run_side_effects(self.side_effects, mutations, self._change_of) if self.side_effects else []

    def _change_of(self, mutation: Mutation) -> RecordChange[Any]:
        record = self._planner.model.records[mutation.record]
        loader = self._storage.loader

        def known(values: Any) -> Any:
            return None if values is None else loader.known(record, [values])[0]

        gone = mutation.kind == "delete" and mutation.old is not None
        current = known(mutation.old) if gone else loader.ghost(record, mutation.key)
        old = known(mutation.old) if mutation.kind == "update" else None
        return RecordChange(mutation.kind, current, old, mutation.names)
