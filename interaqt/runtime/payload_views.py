"""Views in payloads: what a request names must be in the view that its item is declared to be of.

It is looked at before anything else in the transaction, for the interaction may take the record out
of the view. Where it writes records of that kind they are locked, so what is found stays so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interaqt.core.errors import PayloadError, PayloadProblem
from interaqt.core.model import RecordModel
from interaqt.runtime.facts import Facts
from interaqt.runtime.payload import Payload

if TYPE_CHECKING:
    from interaqt.runtime.run import Run
    from interaqt.storage.loading import Loader

__all__ = ["PayloadViews"]

Named = dict[RecordModel, dict[Any, list[str]]]


class PayloadViews:
    """What the payloads of one interaction name as being in views."""

    def __init__(self, payload: Payload, facts: Facts, loader: Loader) -> None:
        self._payload = payload
        self._lock_of = facts.consequences.lock_of
        self._loader = loader

    def require(self, run: Run, request: Any) -> None:
        """Raise a :class:`~interaqt.PayloadError` with all that is not where the request says."""
        if not self._payload.names_views:
            return
        problems: list[PayloadProblem] = []
        for view, named in sorted(self._named(request).items(), key=lambda each: each[0].name):
            lock = self._lock_of(view)
            found = self._loader.existing(view, list(named), lock)
            if lock is not None:
                run.proven.update((view.root, key) for key in found)
            problems += self._problems(view, {key: paths for key, paths in named.items() if key not in found})
        if problems:
            raise PayloadError(self._payload.interaction.name, tuple(problems))

    def _named(self, request: Any) -> Named:
        """Each view with the keys of what is named as being in it, and the paths to where."""
        found: Named = {}
        for path, record, key in self._payload.declared(request):
            if record.is_view:
                found.setdefault(record, {}).setdefault(key, []).append(path)
        return found

    def _problems(self, view: RecordModel, missing: dict[Any, list[str]]) -> list[PayloadProblem]:
        if not missing:
            return []
        there = self._loader.existing(view.root, list(missing))
        name = f"{view.root} with {view.key.name}"
        return [
            PayloadProblem("payload.not_in_view", path, f"the {name} {key!r} is not in {view}")
            if key in there
            else PayloadProblem("payload.not_found", path, f"there is no {name} {key!r}")
            for key, paths in missing.items()
            for path in paths
        ]
