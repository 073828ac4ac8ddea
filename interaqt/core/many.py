"""``Many[T]``: the annotation and the value of a collection of related records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

__all__ = ["Many"]

T_co = TypeVar("T_co", covariant=True)


class Many(Sequence[T_co]):
    """The related records, loaded when first asked for; a sequence that can't be changed."""

    __slots__ = ("_records",)

    def __init__(self, records: Sequence[T_co]) -> None:
        self._records = tuple(records)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        return self._records == other._records if isinstance(other, Many) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._records)

    def __repr__(self) -> str:
        return f"Many({list(self._records)!r})"
