"""Locking whom a row contributes to before the row is written, where a reference alone holds its target.

On MySQL and MariaDB whoever inserts a like holds its post against every change, together with all
others who do the same at that moment; then each of them wants to change it, and waits for the
others for ever. So the post is locked first, by a statement whose answer nobody waits for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from interaqt.core.model import RecordModel
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY, Image

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["HostLocks"]


class HostLocks:
    """Locks the hosts of one record's rows, in the order in which what follows from a row changes them."""

    def __init__(self, planner: Planner, record: RecordModel) -> None:
        record = record.root
        rules = [rule for reaction in planner.created(record) for rule in reaction.rules]
        self._via = tuple(dict.fromkeys(each.via for each in rules if each.via is not None and each.source is record))
        hosts = {each.target.root for each in self._via}
        self._one = {host: planner.statements.read(host, (host.key,), lock=True) for host in hosts}
        self._several = {host: planner.statements.read_rows(host, (host.key,)) for host in hosts}

    def lock(self, executor: Executor, images: Sequence[Image]) -> None:
        """Lock those that the images name."""
        found: dict[RecordModel, set[Any]] = {}
        for reference in self._via:
            keys = found.setdefault(reference.target.root, set())
            keys.update(image[reference.name] for image in images if image.get(reference.name) is not None)
        for host, keys in found.items():
            if len(keys) == 1:
                self._one[host].run(executor, {KEY: keys.pop()})
            elif keys:
                self._several[host].run(executor, [{KEY: key} for key in sorted(keys)])

    def steps(self) -> Iterator[Step]:
        for host, statement in self._one.items():
            yield Step(statement.sql, f"the {host} that it contributes to, locked")
