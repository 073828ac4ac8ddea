"""Paths of ``include``: which related records are loaded along, written as a callback walks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from interaqt.core.errors import InvalidQuery, Location, did_you_mean
from interaqt.core.model import Collection, Mirror, RecordModel, Reference
from interaqt.core.record import Record

__all__ = ["Path", "load_paths", "path_of"]

Path = tuple[str, ...]

_CONNECTED = Reference | Mirror | Collection


class _Step:
    """Stands for a record, or for each of a collection, and knows how it was reached."""

    def __init__(self, record: RecordModel, path: Path, found: list[Path], many: bool = False) -> None:
        self._record, self._path, self._found, self._many = record, path, found, many

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._many:
            raise self._error(f"a collection has no {name!r}", "walk through it: [each.author for each in user.posts]")
        attribute = self._record.attributes.get(name)
        if isinstance(attribute, _CONNECTED):
            path = (*self._path, name)
            self._found.append(path)
            return _Step(attribute.target, path, self._found, isinstance(attribute, Collection))
        if attribute is not None:
            raise self._error(f"{attribute} is a value, and values are loaded with their record", "leave it out")
        known = [each.name for each in self._record.attributes.values() if isinstance(each, _CONNECTED)]
        raise self._error(f"{self._record} has no related records {name!r}. {did_you_mean(name, known)}")

    def __iter__(self) -> Iterator[_Step]:
        if not self._many:
            raise self._error(f"{'.'.join(self._path) or self._record} is one record, not a collection")
        yield _Step(self._record, self._path, self._found)

    def __getitem__(self, place: object) -> _Step:
        return next(iter(self))

    def _error(self, message: str, hint: str = "") -> InvalidQuery:
        return InvalidQuery(message, code="query.include", hint=hint)


def path_of(record: RecordModel, walk: Callable[[Any], object], location: Location) -> list[Path]:
    """The paths that the callback walks, each with the ones on the way to it."""
    found: list[Path] = []
    try:
        walk(_Step(record, (), found))
    except InvalidQuery as error:
        raise error.at(f"query({record}).include", location) from None
    if not found:
        raise InvalidQuery(
            "it walks to no related record",
            code="query.include",
            subject=f"query({record}).include",
            location=location,
            hint="write lambda post: post.author",
        )
    return found


def load_paths(records: list[Record], paths: Iterable[Path]) -> None:
    """Load what the paths lead to, a level at a time: one query for each step, however many records."""
    levels = dict.fromkeys(sorted(paths, key=len))
    reached: dict[Path, list[Record]] = {(): records}
    for path in levels:
        here = reached[path[:-1]]
        beyond: dict[int, Record] = {}
        for each in here:
            # The first one asked loads it for all of its cohort.
            found = getattr(each, path[-1])
            for other in (found,) if isinstance(found, Record) else found or ():
                beyond[id(other)] = other
        reached[path] = list(beyond.values())
