"""What stands behind an attribute in a class body: fields, keys, references, collections.

Each function answers, for the type checker, a value of the attribute's type; at run time it is
a specification that the class decorator reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, TypeVar, cast, overload

import attrs

from interaqt.core.errors import InvalidAttribute, Location, being_declared
from interaqt.core.global_values import with_globals
from interaqt.core.record import origin_of

if TYPE_CHECKING:
    from interaqt.core.computations.transitions import Transition

__all__ = [
    "ComputedAttribute",
    "ComputedSpec",
    "FieldSpec",
    "KeySpec",
    "ManySpec",
    "OneSpec",
    "Spec",
    "computed",
    "field",
    "key",
    "many",
    "one",
]

T = TypeVar("T")
R = TypeVar("R")

OnDelete = Literal["restrict", "cascade", "set_null"]


class Spec:
    """Something declared in a class body; knows where, and (from the class) under which name."""

    name = ""
    location: Location

    def __set_name__(self, owner: type, name: str) -> None:
        # A class built anew by the decorator, or a mixin's attribute, keeps its first name.
        self.name = self.name or name

    def __str__(self) -> str:
        return type(self).__name__.removesuffix("Spec").lower()


@attrs.define(eq=False)
class FieldSpec(Spec):
    location: Location
    default: Any = attrs.field(factory=lambda: attrs.NOTHING)
    factory: Callable[[], Any] | None = None
    unique: bool = False
    index: bool = False
    validator: Any = None
    converter: Any = None
    changes: tuple[Transition[Any], ...] = ()


@attrs.define(eq=False)
class KeySpec(Spec):
    location: Location


@attrs.define(eq=False)
class OneSpec(Spec):
    location: Location
    inverse: str | None = None
    unique: bool = False
    on_delete: OnDelete | None = None
    default: Any = attrs.field(factory=lambda: attrs.NOTHING)
    changes: tuple[Transition[Any], ...] = ()


@attrs.define(eq=False)
class ManySpec(Spec):
    location: Location
    inverse: str | tuple[str, str] | None = None
    through: str | None = None


@attrs.define(eq=False)
class ComputedSpec(Spec):
    location: Location
    function: Callable[[Any], Any]
    stored: bool = False
    index: bool = False
    unique: bool = False


@overload
def field(*, default: T, unique: bool = ..., index: bool = ..., validator: Any = ..., converter: Any = ...) -> T: ...
@overload
def field(
    *, factory: Callable[[], T], unique: bool = ..., index: bool = ..., validator: Any = ..., converter: Any = ...
) -> T: ...
# Where there are changes, they say the type: a `default: T` beside them would be a reason for
# pyright to take T for str where the attribute is a Literal. A default is checked at setup, too.
@overload
def field(
    *,
    changes: Transition[T] | Sequence[Transition[T]],
    default: object = ...,
    factory: Callable[[], object] = ...,
    unique: bool = ...,
    index: bool = ...,
    validator: Any = ...,
    converter: Any = ...,
) -> T: ...
@overload
def field(*, unique: bool = ..., index: bool = ..., validator: Any = ..., converter: Any = ...) -> Any: ...
def field(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    unique: bool = False,
    index: bool = False,
    validator: Any = None,
    converter: Any = None,
    changes: Transition[Any] | Sequence[Transition[Any]] = (),
) -> Any:
    """A stored property with more to say than its type.

    ``default`` and ``factory`` fill it where a maker gives nothing; ``validator`` and
    ``converter`` are attrs' and run whenever a record is made; ``unique`` and ``index`` are the
    database's; ``changes`` names the interactions that change it later, each by ``iq.on(...)``.
    """
    location = Location.of_caller()
    if default is not attrs.NOTHING and factory is not None:
        raise InvalidAttribute(
            "a field has a default or a factory, not both",
            code="field.default_and_factory",
            subject=being_declared(),
            location=location,
        )
    if factory is not None and not callable(factory):
        raise InvalidAttribute(
            f"factory= takes a function that makes the value, not {factory!r}",
            code="field.factory",
            subject=being_declared(),
            location=location,
            hint=f"write default={factory!r} for one value, or factory=list for a new list each time",
        )
    return FieldSpec(location, default, factory, unique, index, validator, converter, as_transitions(changes, location))


def as_transitions(changes: Any, location: Location) -> tuple[Transition[Any], ...]:
    """``changes=`` as a tuple, whether one or several were given."""
    from interaqt.core.computations.transitions import Transition

    found = tuple(changes) if isinstance(changes, Sequence) and not isinstance(changes, str) else (changes,)
    for each in found:
        if not isinstance(each, Transition):
            raise InvalidAttribute(
                f"changes= takes iq.on(...), or several of them, not {each!r}",
                code="field.changes",
                subject=being_declared(),
                location=location,
                hint="write changes=iq.on(SomeInteraction, set=lambda e: e.payload.something)",
            )
    return found


def key(*, init: Literal[False] = False) -> Any:
    """The record's identity, given when it is stored: an ``int`` counted by the database, or a ``UUID``."""
    return KeySpec(Location.of_caller())


@overload
def one(*, inverse: str, init: Literal[False] = ...) -> Any: ...
@overload
def one(
    *,
    unique: bool = ...,
    on_delete: OnDelete | None = ...,
    changes: Transition[Any] | Sequence[Transition[Any]] = ...,
) -> Any: ...
@overload
def one(
    *,
    unique: bool = ...,
    on_delete: OnDelete | None = ...,
    changes: Transition[Any] | Sequence[Transition[Any]] = ...,
    default: None,
) -> Any: ...
def one(
    *,
    inverse: str | None = None,
    unique: bool = False,
    on_delete: OnDelete | None = None,
    changes: Transition[Any] | Sequence[Transition[Any]] = (),
    default: Any = attrs.NOTHING,
    init: Literal[False] = False,
) -> Any:
    """A reference to one record, or to none for ``T | None``.

    ``unique=True`` makes it 1:1; ``inverse`` says that this is the other side of the reference
    of that name, which holds the column. ``on_delete`` says what deleting the target does:
    ``"restrict"`` (the default), ``"cascade"`` (the default of a relation's ends) or
    ``"set_null"``.
    """
    location = Location.of_caller()
    if on_delete not in (None, "restrict", "cascade", "set_null"):
        raise InvalidAttribute(
            f"on_delete={on_delete!r} is none of 'restrict', 'cascade', 'set_null'",
            code="one.on_delete",
            subject=being_declared(),
            location=location,
        )
    _require_name(inverse, "inverse", location)
    return OneSpec(location, inverse, unique, on_delete, default, as_transitions(changes, location))


def many(
    *, inverse: str | tuple[str, str] | None = None, through: str | None = None, init: Literal[False] = False
) -> Any:
    """The records whose reference ``inverse`` names this one, or, with ``through``, those past a relation's records.

    ``inverse=("a", "b")`` are the records of which either reference names this one, each once.
    """
    location = Location.of_caller()
    if (inverse is None) == (through is None):
        raise InvalidAttribute(
            "many() takes the name of a reference back to this class, inverse=, "
            "or that of a collection of relation records, through=",
            code="many.inverse_or_through",
            subject=being_declared(),
            location=location,
            hint='write posts: Many[Post] = iq.many(inverse="author"), where Post has author: User',
        )
    if isinstance(inverse, tuple):
        if len({*inverse}) != 2:
            raise InvalidAttribute(
                f"inverse= takes the name of a reference, or those of two, not {inverse!r}",
                code="many.inverse",
                subject=being_declared(),
                location=location,
                hint='write inverse=("source", "target") for records that either of these references leads from',
            )
        for each in inverse:
            _require_name(each, "inverse", location)
    else:
        _require_name(inverse, "inverse", location)
    _require_name(through, "through", location)
    return ManySpec(location, inverse, through)


def _require_name(value: object, argument: str, location: Location) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidAttribute(
            f"{argument}= takes the name of an attribute, not {value!r}",
            code=f"many.{argument}",
            subject=being_declared(),
            location=location,
            hint=f'write {argument}="author", for instance',
        )


class ComputedAttribute(Generic[T]):
    """What :func:`computed` makes of a method."""

    def __init__(self, spec: ComputedSpec) -> None:
        self.spec = spec
        self.function: Callable[[Any], T] = spec.function
        self.__doc__ = spec.function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.spec.name = name

    # On the class of a dictionary it is a value; on any other it is nothing that a program should use.
    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:
            return cast("T", self)
        origin = origin_of(instance)
        return cast("T", with_globals(origin and origin.global_value, self.function, instance))

    def __set__(self, instance: object, value: Never) -> None:
        raise AttributeError(f"{self.spec.name} is computed; it can't be set")


@overload
def computed(function: Callable[[Any], T], /) -> ComputedAttribute[T]: ...
@overload
def computed(
    *, stored: Literal[True], index: bool = ..., unique: bool = ...
) -> Callable[[Callable[[Any], T]], ComputedAttribute[T]]: ...
def computed(
    function: Callable[[Any], T] | None = None,
    /,
    *,
    stored: bool = False,
    index: bool = False,
    unique: bool = False,
) -> Any:
    """A property that follows from others of its record: ``@iq.computed def full_name(self) -> str``.

    It is worked out where it is used, in Python and in SQL alike, so it is never out of date and
    costs nothing to keep; computations and queries may use it like any attribute.

    ``@iq.computed(stored=True)`` keeps it in a column, right at every moment: it can have an
    ``index`` or be ``unique``, is sorted by without being worked out, and other programs can read
    it. It costs a part of each statement that writes what it reads.
    """
    location = Location.of_caller()
    if (index or unique) and not stored:
        raise InvalidAttribute(
            f"{'unique' if unique else 'index'}=True is about a column, and what is computed where it is used has none",
            code="computed.index",
            subject=being_declared(),
            location=location,
            hint=f"write @iq.computed(stored=True, {'unique' if unique else 'index'}=True)",
        )

    def decorate(function: Callable[[Any], T]) -> ComputedAttribute[T]:
        place = Location.of_function(function)
        if place is None:
            raise InvalidAttribute(
                f"@iq.computed decorates a method, not {function!r}",
                code="computed.function",
                subject=being_declared(),
                location=location,
                hint="write @iq.computed above def full_name(self) -> str: ...",
            )
        return ComputedAttribute(ComputedSpec(place, function, stored, index, unique))

    return decorate if function is None else decorate(function)
