"""A reaction: what one kind of write means to some derived values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import attrs

from interaqt.core.computations import Derivation, Rule
from interaqt.core.model import RecordModel
from interaqt.storage.prepared import Image

if TYPE_CHECKING:
    from interaqt.runtime.run import Run

__all__ = ["NEW", "OLD", "Came", "Pair", "Reaction", "Step"]

#: Names of the roots that stand for the states of a changed row, before and after.
OLD, NEW = "old", "new"

#: A row as it was and as it is; None where it did not exist before, or does not after.
Pair = tuple[Image | None, Image | None]


class Came(Sequence[Pair]):
    """Rows that came: pairs of which nobody keeps the many there may be."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Pair]:
        return ((None, image) for image in self._images)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Came: ...
    def __getitem__(self, index: int | slice) -> Pair | Came:
        return Came(self._images[index]) if isinstance(index, slice) else (None, self._images[index])


@attrs.frozen
class Step:
    """One statement of a plan: its SQL, why it is there, and what follows where it changes something."""

    sql: str
    why: str
    depth: int = 0


class Reaction(ABC):
    """Keeps ``rules`` right after one kind of write.

    ``reads`` names the attributes of the written row that it must be told of.
    """

    rules: tuple[Rule, ...]
    reads: frozenset[str]

    @abstractmethod
    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        """React to rows that were just written, before anything else is."""

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """The statements that it may issue, in order."""

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        """The records and attributes that it changes, as far as anything depends on them."""
        yield from ()

    def derives(self) -> Iterator[Derivation]:
        """The rules whose records it makes, changes and deletes."""
        yield from ()
