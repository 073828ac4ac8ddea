"""Rules: what a resolved declaration keeps right, in the words that ordering, planning and checking need."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import attrs

from interaqt.core.errors import Location
from interaqt.core.expressions import HOST, LINK, Const, Expr
from interaqt.core.model import Index, Property, RecordModel, Reference

__all__ = ["HOST", "LINK", "PropertyRule", "Rule", "ValueRule"]


class Rule(ABC):
    """Something that follows from the rows of ``source``: a value of ``record``, or its very rows."""

    root: ClassVar[str]
    """The name of the root in what it reads: a row of ``source``."""

    with_row: ClassVar[bool] = False
    """Whether whatever writes a row of ``source`` writes what follows from it, too, by the same statement."""

    @builtins.property
    @abstractmethod
    def source(self) -> RecordModel:
        """The record whose rows it follows from."""

    @builtins.property
    @abstractmethod
    def record(self) -> RecordModel:
        """The record of which it keeps a value, or the rows."""

    @builtins.property
    @abstractmethod
    def name(self) -> str:
        """What the outcome is called in ``record``."""

    @builtins.property
    @abstractmethod
    def location(self) -> Location: ...

    @builtins.property
    def makes_rows(self) -> bool:
        """Whether it is the rows that it keeps."""
        return False

    @builtins.property
    def via(self) -> Reference | None:
        """The reference by which a row of ``source`` names the one that it contributes to."""
        return None

    @abstractmethod
    def reads(self) -> Iterator[Expr]:
        """All that it asks of one row of ``source``."""

    def __str__(self) -> str:
        return f"{self.record}.{self.name}"


@attrs.frozen(eq=False, kw_only=True)
class PropertyRule(Rule):
    """Keeps ``property``, of which it has its name."""

    property: Property

    def __str__(self) -> str:
        return str(self.property)

    @builtins.property
    def record(self) -> RecordModel:
        return self.property.record

    @builtins.property
    def name(self) -> str:
        return self.property.name

    @builtins.property
    def location(self) -> Location:
        return self.property.location


@attrs.frozen(eq=False, kw_only=True)
class ValueRule(PropertyRule):
    """Keeps ``property`` of its host.

    It stores the properties ``kept`` beside it, or the property alone. ``value`` is what the property
    is, read from those of ``Root(HOST)``; it is None where the property is itself kept.
    """

    value: Expr | None = None

    @builtins.property
    @abstractmethod
    def kept(self) -> tuple[Property, ...]:
        """What is stored on the host, without the value that follows from it."""

    @abstractmethod
    def initial(self, kept: Property) -> Const | None:
        """What a kept property is when its host is made; None where that follows from the row."""

    @abstractmethod
    def recomputed(self, kept: Property) -> Expr:
        """What a kept property is, worked out anew for ``Root(HOST)``."""

    def expected(self, kept: Property) -> Expr:
        """What a kept property should be by what is stored."""
        return self.recomputed(kept)

    def sufficient(self, kept: Property) -> Expr:
        """What a kept property has to be so that it need not be written when it is worked out anew."""
        return self.recomputed(kept)

    @builtins.property
    def index(self) -> Index | None:
        """What finds the records that it looks up, where their columns alone say which."""
        return None
