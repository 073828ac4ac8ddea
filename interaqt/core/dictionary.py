"""What a dictionary class is: a record of which there is one, and whose attributes are read on the class."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar, cast

from interaqt.core.errors import InvalidValue
from interaqt.core.global_values import global_value, globals_are_read
from interaqt.core.model import ONLY
from interaqt.core.record import Record, RecordMeta

__all__ = ["Dictionary", "DictionaryMeta", "first", "only"]

R = TypeVar("R")


class DictionaryMeta(RecordMeta):
    """The metaclass of dictionaries: nobody makes one, and their values change by what is declared."""

    def __call__(cls, *args: Any, **values: Any) -> NoReturn:  # noqa: N805 - of a metaclass
        raise InvalidValue(
            f"{cls.__name__} is a dictionary: there is one, made when a controller is set up",
            code="dictionary.making",
            subject=cls.__name__,
            location=cls.__iq_record__.location,
            hint=f"read it with system.storage.get({cls.__name__}), or in a callback as {cls.__name__}.some_value",
        )

    def __getattr__(cls, name: str) -> Any:  # noqa: N805 - of a metaclass
        # In a callback what is not there is looked for where the others are found, which says what there is.
        if name.startswith("_") or not globals_are_read():
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return global_value(cls, name)

    def __setattr__(cls, name: str, value: object) -> None:  # noqa: N805 - of a metaclass
        declaration = vars(cls).get("__iq_record__")
        if declaration is not None and name in declaration.attributes:
            raise InvalidValue(
                f"{cls.__name__}.{name} can't be set: it changes by what is declared",
                code="dictionary.immutable",
                subject=f"{cls.__name__}.{name}",
                location=declaration.attributes[name].location,
                hint="declare the change: iq.field(changes=iq.on(SomeInteraction, set=lambda e: ...))",
            )
        super().__setattr__(name, value)


class Dictionary(Record, metaclass=DictionaryMeta):
    """The base that the decorator gives to every dictionary class."""


def first(cls: type[R]) -> R:
    """A dictionary as it is before anything has happened: what its declaration gives."""
    return cast("R", RecordMeta.__call__(cast("Any", cls)))


def only(cls: type[R]) -> R:
    """The stored one, of which nothing is known but that it is there."""
    made = object.__new__(cls)
    made.__dict__[cls.__iq_record__.key_name] = ONLY  # type: ignore[attr-defined]
    return made
