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

__all__ = ["GlobalAttribute", "ReadGlobal", "global_value", "globals_are_read", "reading_globals", "with_globals"]

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


def globals_are_read() -> bool:
    """Whether anybody answers global values here."""
    return _reader.get() is not None


def global_value(dictionary: type, name: str) -> Any:
    """What an attribute of a dictionary is here."""
    read = _reader.get()
    if read is None:
        raise InvalidValue(
            f"{dictionary.__name__}.{name} has a value in a callback of a model; elsewhere it is not known "
            "which database is meant",
            code="dictionary.reading",
            subject=f"{dictionary.__name__}.{name}",
            hint=f"read it from a storage: system.storage.get({dictionary.__name__}).{name}",
        )
    return read(dictionary, name)


class GlobalAttribute:
    """Stands on a dictionary's class for one of its attributes; ``inner`` is what an instance has there."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self._inner = inner

    def __get__(self, instance: Any, owner: type) -> Any:
        return global_value(owner, self.name) if instance is None else self._inner.__get__(instance, owner)

    def __repr__(self) -> str:
        return f"<global value {self.name}>"
