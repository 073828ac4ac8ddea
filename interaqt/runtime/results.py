"""The results of many requests: each is made when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, overload

from interaqt.runtime.dispatch import InteractionDispatch
from interaqt.runtime.result import DispatchResult

__all__ = ["EachResult", "Part", "Results"]


class Part(Protocol):
    """The results of some requests that follow one another."""

    dispatch: InteractionDispatch

    def __len__(self) -> int: ...
    def complete(self) -> None:
        """Have everything told that must be before the transaction ends."""

    def result(self, index: int) -> DispatchResult: ...


class EachResult:
    """Results that are there."""

    def __init__(self, dispatch: InteractionDispatch, results: Sequence[DispatchResult]) -> None:
        self.dispatch, self._results = dispatch, results

    def __len__(self) -> int:
        return len(self._results)

    def complete(self) -> None:
        """Each was told at its turn."""

    def result(self, index: int) -> DispatchResult:
        return self._results[index]


class Results(Sequence[DispatchResult]):
    """What ``dispatch_many`` answers: one result for each request, in their order."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._places: list[tuple[Part, int]] | None = None
        self._made: dict[int, DispatchResult] = {}
        self._is_lasting = False
        self._length = sum(map(len, parts))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> DispatchResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[DispatchResult]: ...
    def __getitem__(self, index: int | slice) -> DispatchResult | list[DispatchResult]:
        chosen = range(self._length)[index]
        return self._result(chosen) if isinstance(chosen, int) else [self._result(each) for each in chosen]

    def __repr__(self) -> str:
        return f"<{self._length} results>"

    def _result(self, index: int) -> DispatchResult:
        found = self._made.get(index)
        if found is None:
            part, place = self._place(index)
            found = self._made[index] = part.result(place)
            if self._is_lasting:
                found.post_commit = "complete"
        return found

    def _place(self, index: int) -> tuple[Part, int]:
        if self._places is None:
            self._places = [(part, place) for part in self._parts for place in range(len(part))]
        return self._places[index]

    def dispatched(self) -> Iterator[tuple[InteractionDispatch, DispatchResult]]:
        """Each with what has dispatched it."""
        for index, result in enumerate(self):
            yield self._place(index)[0].dispatch, result

    def call_back(self) -> None:
        """Call what is to be called once all is committed, in the order of the requests."""
        if any(part.dispatch.calls_back for part in self._parts):
            for dispatch, result in self.dispatched():
                dispatch.call_back(result)
        else:
            for result in self._made.values():
                result.post_commit = "complete"
        self._is_lasting = True
