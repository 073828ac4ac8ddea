"""A keeper: what is done about one rule when rows come, change or go, and how it is checked and worked out anew.

Each kind of rule has a class of keepers (``keepers``); planning, verifying and rebuilding know no
kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from interaqt.core.computations import Rule
from interaqt.core.model import RecordModel
from interaqt.runtime.anew import Anew
from interaqt.runtime.graph import Path
from interaqt.storage.database import Executor
from interaqt.storage.spans import Span

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.reaction import Reaction
    from interaqt.runtime.run import Run

__all__ = ["Difference", "Keeper", "Part", "Reach"]

R = TypeVar("R", bound=Rule)


@attrs.frozen
class Difference:
    """A stored value, or a derived record, that is not what its declaration says."""

    attribute: str
    key: Any
    stored: Any
    expected: Any

    def __str__(self) -> str:
        return f"{self.attribute} of {self.key!r} is {self.stored!r}, but should be {self.expected!r}"


@attrs.frozen(eq=False)
class Part:
    """What one rule does about a write; parts of one group become one reaction."""

    group: Hashable
    rule: Rule
    make: Callable[[Sequence[Any]], Reaction]
    counts: bool = False
    """Whether the values are worked out from what the database holds, not moved by a difference."""


@attrs.frozen
class Reach:
    """How a change of some attributes of a record reaches a rule."""

    record: RecordModel
    near: bool
    """Whether the record is itself one that the rule follows from."""
    relinked: bool
    """Whether it now contributes to another one."""
    paths: tuple[Path, ...]
    """By which records that it follows from lead to the changed one."""
    entangled: bool
    """Whether the change reaches something that the rule reads, too."""


class Keeper(ABC, Generic[R]):
    """Keeps one rule."""

    def __init__(self, planner: Planner, rule: R) -> None:
        self.planner = planner
        self.rule = rule

    @abstractmethod
    def came(self) -> Iterator[Part]:
        """What a new row of the source means."""

    @abstractmethod
    def went(self) -> Iterator[Part]:
        """What it means that a row of the source is gone."""

    def host_went(self) -> Iterator[Part]:
        """What it means that the record is gone of which it kept something."""
        return iter(())

    @abstractmethod
    def changed(self, reach: Reach) -> Iterator[Part]:
        """What a change means."""

    @property
    @abstractmethod
    def over(self) -> RecordModel:
        """The record of whose rows there are spans for :meth:`anew` and :meth:`differences`."""

    at_once: int | None = 10_000
    """How many rows are compared at a time; None where they are not taken by spans."""

    @abstractmethod
    def anew(self) -> Anew:
        """What works it out anew, as for :class:`~interaqt.runtime.rebuild.Rebuilder`."""

    def quietly(self, run: Run, keys: Sequence[Any]) -> None:
        """Work it out anew without telling what depends on it."""
        raise NotImplementedError(f"{self.rule} is told of")

    @abstractmethod
    def differences(self, executor: Executor, span: Span) -> Iterator[Difference]:
        """Where what is stored is not what it should be by what else is stored, of the rows in a span."""
