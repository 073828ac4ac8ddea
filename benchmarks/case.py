"""A case: the same operations, declared and written by hand, over the same rows.

Each case has steps that follow one another in every turn (a record comes, changes, and goes), so what a turn
began it ends, and the last is measured on as much data as the first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import interaqt as iq
from benchmarks.hand import Hand

__all__ = ["NUMBERS", "Call", "Case", "calls", "loaded"]

#: One operation, ready to be run and timed.
Call = Callable[[], object]

#: The numbers 1, 2, ... up to ``?``, as the head of the SELECT of an INSERT.
NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT"


class Case(ABC):
    name: str
    models: Sequence[type]
    steps: tuple[str, ...] = ("add", "change", "drop")
    snapshot: ClassVar[tuple[str, ...]]
    """What two sides must agree on after the same operations: all but times and what is the framework's own."""
    asks_all: bool = False
    """Whether each operation reads all related records, so that it can't but cost more with more of them."""
    derived: Sequence[type] = ()
    """Records whose derived values are worked out once the tables are filled."""

    @abstractmethod
    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        """The rows that are there before: ``size`` records related to one, and what each operation needs.

        Keys are given, 1 and up, so the key of the next record is known.
        """

    @abstractmethod
    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        """The operations with these numbers, through interaqt."""

    @abstractmethod
    def by_hand(self, hand: Hand, step: str, size: int, numbers: range) -> list[Call]:
        """The same by hand."""


def calls(function: Callable[..., object], arguments: Iterable[tuple[object, ...]]) -> list[Call]:
    """A call of the function for each."""
    return [partial(function, *each) for each in arguments]


def loaded(app: iq.Controller, cls: type[Any], key: int) -> Any:
    """A stored record, as whoever asks has it."""
    return app.system.storage.get(cls, key)
