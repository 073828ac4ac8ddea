"""What an instance of an entity or relation class is: an immutable record that loads what it lacks.

A record keeps its known values in its ``__dict__``; what is not there is asked of its origin by
a descriptor, which Python consults only then, so a loaded attribute costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeGuard

import attrs

from interaqt.core.errors import InvalidValue, did_you_mean
from interaqt.core.expressions import Const
from interaqt.core.many import Many
from interaqt.core.narrowing import is_of_kind
from interaqt.core.trace_session import refuse
from interaqt.core.tracing import Construction, constant_hooks, tracing_active
from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.core.class_body import RecordDeclaration

__all__ = ["ORIGIN", "LazyAttribute", "Origin", "PartMeta", "Record", "RecordMeta", "key_of", "made_as", "origin_of"]

#: Where a record keeps where it came from; one that is not stored has nothing there.
ORIGIN = "__iq_origin__"


class Origin(Protocol):
    """Where a record came from: loads what is missing, for all records that came with it."""

    def load(self, record: Record, name: str) -> Any: ...
    def global_value(self, dictionary: type, name: str) -> Any: ...


#: What calling a class does.
_make = type.__call__


class RecordMeta(type):
    """The metaclass of declared records.

    Calling the class in a traced callback answers what would be made, not an instance.
    """

    __iq_record__: RecordDeclaration
    __iq_root__: type
    """The class whose table has the records: one and the same record is equal under any name."""

    def __call__(cls, *args: Any, **values: Any) -> Any:
        declaration = cls.__iq_record__
        if declaration.view is not None or declaration.abstract:
            _refuse_making(cls)
        if tracing_active():
            return Construction(cls, values)
        try:
            return _make(cls, *args, **values)
        except TypeError as error:
            refused = _refused_arguments(cls, args, values)
            if refused is None:
                raise
            raise refused from error


class PartMeta(RecordMeta):
    """The metaclass of views and of classes that inherit from another record: not each of that one's is one of them."""

    def __instancecheck__(cls, instance: Any) -> bool:
        found = is_of_kind(cls, instance) if tracing_active() else None
        return super().__instancecheck__(instance) if found is None else found


def made_as(cls: type) -> type:
    """The class that a record is made as: of a view, the entity or relation that it is a view of."""
    while (view := cls.__iq_record__.view) is not None:  # type: ignore[attr-defined]
        cls = view.of
    return cls


def _refuse_making(cls: Any) -> NoReturn:
    declaration = cls.__iq_record__
    if declaration.view is not None:
        of, code = made_as(cls), "record.view"
        message = f"{cls.__name__} is a view: a {of.__name__} is in it as long as it satisfies what the view says"
        hint = f"make a {of.__name__}(...)"
    else:
        code, message = "record.abstract", f"{cls.__name__} is abstract: each of its records is of one of its kinds"
        below = [each for each in cls.__subclasses__() if "__iq_record__" in vars(each)]
        kinds = [each.__name__ for each in below if each.__iq_record__.view is None]
        hint = f"make {' or '.join(f'{each}(...)' for each in kinds) or 'one of a class that inherits from it'}"
    if tracing_active():
        refuse(message, hint)
    raise InvalidValue(message, code=code, subject=cls.__name__, location=declaration.location, hint=hint)


def _refused_arguments(cls: Any, args: tuple[Any, ...], values: dict[str, Any]) -> InvalidValue | None:
    """What is wrong with the arguments of a record class; None where they are not what went wrong."""
    declaration = cls.__iq_record__
    given = {each.name: each for each in attrs.fields(cls) if each.init}
    if args:
        shown = ", ".join(f"{name}=..." for name in given)
        return InvalidValue(
            f"{cls.__name__} takes its attributes by name", code="record.positional", hint=f"{cls.__name__}({shown})"
        )
    for name in values:
        if name in declaration.attributes and name not in given:
            attribute = declaration.attributes[name]
            return InvalidValue(
                f"{name} is not given: it follows from its {attribute.spec}",
                code="record.derived",
                subject=f"{cls.__name__}.{name}",
                location=attribute.location,
                hint="leave it out",
            )
        if name not in given:
            return InvalidValue(
                f"{cls.__name__} has no attribute {name!r} to give. {did_you_mean(name, given)}",
                code="record.unknown_attribute",
                subject=cls.__name__,
                location=declaration.location,
            )
    missing = [name for name, each in given.items() if each.default is attrs.NOTHING and name not in values]
    if not missing:
        return None
    return InvalidValue(
        f"{cls.__name__} is made without {', '.join(missing)}",
        code="record.missing_attribute",
        subject=cls.__name__,
        location=declaration.attributes[missing[0]].location,
        hint=f"give it: {cls.__name__}({missing[0]}=...)",
    )


class LazyAttribute:
    """Stands on the class for an attribute that a record may not have loaded yet.

    ``compute`` says what it is of a record that is not stored yet; ``spec`` is what stands behind it.
    """

    def __init__(self, name: str, compute: Callable[[Any], Any] | None = None, spec: object = None) -> None:
        self.name = name
        self.compute = compute
        self.spec = spec

    def __get__(self, instance: Record | None, owner: type) -> Any:
        if instance is None:
            return self
        origin: Origin | None = instance.__dict__.get(ORIGIN)
        if origin is None:
            if self.compute is not None:
                return self.compute(instance)
            raise InvalidValue(
                f"{owner.__name__}.{self.name} has no value before the record is stored",
                code="record.not_stored",
                hint="read it from the record that storage.create() or storage.get() answers",
            )
        return origin.load(instance, self.name)

    def __repr__(self) -> str:
        return f"<attribute {self.name}>"


class Record(metaclass=RecordMeta):
    """The base that the decorators give to every entity and relation class."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not is_record(other) or type(self).__iq_root__ is not type(other).__iq_root__:
            return NotImplemented
        mine = key_of(self)
        return mine is not None and mine == key_of(other)

    def __hash__(self) -> int:
        mine = key_of(self)
        return object.__hash__(self) if mine is None else hash((type(self).__iq_root__, mine))

    def __repr__(self) -> str:
        declaration = type(self).__iq_record__
        shown = []
        for name in declaration.attributes:
            value = self.__dict__.get(name, ORIGIN)
            if value is not ORIGIN and not isinstance(value, Many):
                text = f"{type(value).__name__}#{key_of(value)}" if isinstance(value, Record) else repr(value)
                shown.append(f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise InvalidValue(
            f"{type(self).__name__}.{name} can't be set: a record is a value, and what is stored "
            "is changed by interactions",
            code="record.immutable",
            hint="declare the change: iq.field(changes=iq.on(SomeInteraction, set=lambda e: ...)), "
            "or make a changed copy before storing with attrs.evolve(record, ...)",
        )

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)


def is_record(value: object) -> TypeGuard[Record]:
    """Whether it is a record itself: what stands for one in a trace passes for an instance, too."""
    return issubclass(type(value), Record)


def key_of(record: Record) -> Any:
    """The record's key, or None while it is not stored."""
    return record.__dict__.get(type(record).__iq_record__.key_name)


def origin_of(record: Record) -> Any:
    return record.__dict__.get(ORIGIN)


def _constant(value: object) -> Const | None:
    """A stored record that a callback captured means its key."""
    if is_record(value) and key_of(value) is not None:
        return Const(key_of(value), ValueType(Kind.RECORD))
    return None


constant_hooks.append(_constant)
