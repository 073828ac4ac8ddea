"""Global values: ``Totals.posts``, read on the class, means what whoever runs the callback says it means.

In a trace it is an expression, in a dispatch the value in its transaction, in a property of a record
that was loaded the value beside it in the database. Anywhere else nobody knows which database is
meant, so it is an error that says what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from interaqt.core.errors import InvalidValue

__all__ = ["GlobalAttribute", "ReadGlobal", "reading_globals", "with_globals"]

#: Answers an attribute of a dictionary, given the dictionary's class and the name.
ReadGlobal = Callable[[type, str], Any]

_reader: ContextVar[ReadGlobal | None] = ContextVar("interaqt_globals", default=None)


@contextmanager
def reading_globals(read: ReadGlobal) -> Iterator[None]:
    """Within it global values are what ``read`` answers."""
    token = _reader.set(read)
    try:
        yield
    finally:
        _reader.reset(token)


def with_globals(read: ReadGlobal | None, function: Callable[[Any], Any], instance: object) -> Any:
    """Call a property's function, with ``read`` for its global values unless somebody answers them already."""
    if read is None or _reader.get() is not None:
        return function(instance)
    with reading_globals(read):
        return function(instance)


class GlobalAttribute:
    """Stands on a dictionary's class for one of its attributes; ``inner`` is what an instance has there."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self._inner = inner

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            return self._inner.__get__(instance, owner)
        read = _reader.get()
        if read is None:
            raise InvalidValue(
                f"{owner.__name__}.{self.name} has a value in a callback of a model; elsewhere it is not known "
                "which database is meant",
                code="dictionary.reading",
                subject=f"{owner.__name__}.{self.name}",
                hint=f"read it from a storage: system.storage.get({owner.__name__}).{self.name}",
            )
        return read(owner, self.name)

    def __repr__(self) -> str:
        return f"<global value {self.name}>"
