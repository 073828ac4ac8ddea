"""New rows: what Transforms have given for many records of one kind, by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NoReturn

from interaqt.core.model import Reference
from interaqt.core.record import Record, origin_of
from interaqt.runtime.rows import RowStatements, key_in
from interaqt.storage.records import ORIGIN

__all__ = ["Entangled", "NewRows"]


class Entangled(Exception):
    """A record that is to be made refers to another one that is not there yet."""


class NewRows:
    """Takes new records one by one, of which it keeps nothing but the values; answers them as rows."""

    def __init__(self, statements: RowStatements) -> None:
        self._statements = statements
        self._names = statements.visible_names
        self._take = _taker(self._names)
        self._references = {each.name: each for each in statements.references}
        self._taken: list[Sequence[Any]] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in self._names}
        self._number = 0
        self.ends: list[int] = []
        """How many there were after each event."""

    def take(self, records: Sequence[Record]) -> None:
        """Take what one event makes."""
        for each in records:
            try:
                row = self._take(each.__dict__)
            except KeyError:
                raise Entangled from None
            if not self.ends and self._refers_to_new(each):
                raise Entangled
            self._taken.append(row)
        self._number += len(records)
        self.ends.append(self._number)
        if len(self._taken) >= _CHUNK:
            self._convert()

    def _refers_to_new(self, record: Record) -> bool:
        found = (record.__dict__[each.name] for each in self._statements.references if each.name in self._names)
        return any(isinstance(each, Record) and origin_of(each) is None for each in found)

    def span(self, index: int) -> tuple[int, int]:
        """Which of the rows an event makes."""
        return self.ends[index - 1] if index else 0, self.ends[index]

    def __len__(self) -> int:
        return self._number

    def columns(self) -> dict[str, list[Any]]:
        """The values of all rows, references by their keys."""
        self._convert()
        return self._columns

    def _convert(self) -> None:
        # Soon, so that nobody holds what callbacks were given.
        taken, self._taken = self._taken, []
        columns = zip(*taken, strict=True) if taken else [()] * len(self._names)
        for name, values in zip(self._names, columns, strict=True):
            reference = self._references.get(name)
            self._columns[name] += values if reference is None else _keys(reference, values)


_CHUNK = 64


def _taker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda place: tuple(place[name] for name in names)


def _keys(reference: Reference, values: Sequence[Any]) -> Sequence[Any]:
    cls, key = reference.target.cls, reference.target.key.name
    if all(issubclass(each, cls) for each in set(map(type, values))):
        places = [each.__dict__ for each in values]
        if all(ORIGIN in place for place in places):
            return [place[key] for place in places]
    return [key_in(reference, value, _new) for value in values]


def _new(reference: Reference, value: Record) -> NoReturn:
    raise Entangled
