"""Stand-ins: what a callback is given instead of records, events and collections while it is traced."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import attrs

from interaqt.core.errors import did_you_mean
from interaqt.core.expressions import BOOL, INT, LINK, Aggregate, Attr, Expr, Op, Param, Root, all_of, rooted
from interaqt.core.global_values import ReadGlobal
from interaqt.core.lift import lift
from interaqt.core.model import (
    Attribute,
    Collection,
    ComputedProperty,
    Constant,
    Mirror,
    Property,
    RecordModel,
    Reference,
)
from interaqt.core.narrowing import having, narrowed
from interaqt.core.trace_session import current, refusal, refuse
from interaqt.core.traced import Traced, wrapped
from interaqt.core.typed_operations import compare
from interaqt.core.types import Kind

__all__ = [
    "Fields",
    "TracedFields",
    "TracedMany",
    "TracedRecord",
    "constant_of",
    "present",
    "root_of",
    "stand_in",
    "traced_globals",
]


@attrs.frozen
class Fields:
    """Something with named parts that is no stored record, such as an event and its payload."""

    name: str
    parts: Mapping[str, Expr | Fields]
    cls: type | None = None
    """The class whose methods it has besides."""


def stand_in(source: Expr | Fields) -> Any:
    """What stands for ``source`` in a callback, if it exists; see :func:`present`."""
    if isinstance(source, Fields):
        return TracedFields(source)
    return TracedRecord(source) if source.type.kind is Kind.RECORD else Traced(source)


def present(source: Expr | Fields) -> Any:
    """A stand-in, or the real None on a path on which ``source`` is None."""
    if isinstance(source, Attr | Param) and source.type.nullable and current().decide(Op("is_null", (source,), BOOL)):
        return None
    return stand_in(source)


class TracedRecord(Traced):
    """A record, by its attributes."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What ``isinstance`` goes by: a record is of its class, and of those that this inherits from."""
        record = self._iq_expr.type.record
        return TracedRecord if record is None else record.made_as.cls

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        expr, record = self._iq_expr, self._iq_expr.type.record
        assert record is not None
        attribute = record.attributes.get(name)
        if attribute is None and record.root.family is not None:
            record = narrowed(record, expr)
            attribute = record.attributes.get(name)
        if isinstance(attribute, Property | Reference) and attribute.hidden:
            # What a computation keeps for itself is nobody else's to read.
            attribute = None
        match attribute:
            case Property() | Reference():
                return present(Attr(expr, name, attribute.type))
            case Mirror():
                if not current().allow_collections:
                    refuse(
                        f"{attribute} is the far side of a 1:1, which a computation can't read",
                        f"{attribute.target.name}.{attribute.via.name} holds the reference: compute it there",
                    )
                return present(Attr(expr, name, attribute.type))
            case Collection():
                return TracedMany(expr, attribute)
            case ComputedProperty():
                return _compute(self, expr, attribute)
            case _:
                return _member(self, record.cls, record.name, name, _visible(record), having(record, name))


def traced_globals(sources: Sequence[Expr | Fields]) -> ReadGlobal:
    """What reads global values in a trace: they lie a constant step away from the record that it is about."""

    def read(dictionary: type, name: str) -> Any:
        root = next((root for source in sources if (root := root_of(source)) is not None), None)
        if root is None:
            refuse(f"{dictionary.__name__}.{name} is read where no record is traced")
        if root.record.cls is dictionary:
            return getattr(TracedRecord(root), name)
        step = constant_of(root.record, dictionary)
        return getattr(TracedRecord(Attr(root, step.name, step.type)), name)

    return read


def constant_of(record: RecordModel, dictionary: type) -> Constant:
    """The step to a dictionary, which must be of the same model."""
    found = record.constant(dictionary)
    if found is None:
        refuse(
            f"{dictionary.__name__} is not among the controller's models",
            f"give {dictionary.__name__} to the controller with the other models",
        )
    return found


def root_of(source: Expr | Fields) -> Root | None:
    """The record that an argument of a callback is, or is reached from."""
    while isinstance(source, Attr):
        source = source.of
    return source if isinstance(source, Root) else None


class TracedMany:
    """A collection of related records. Only a query can ask about it; a computation declares it."""

    __slots__ = ("_iq_collection", "_iq_of")

    def __init__(self, of: Expr, collection: Collection) -> None:
        self._iq_of, self._iq_collection = of, collection

    def _iq_aggregate(self, kind: str, element: object = None) -> Aggregate:
        collection = self._iq_collection
        if not current().allow_collections:
            name = collection.name
            refuse(
                f"{collection} is a collection, which a computation can't read as a value",
                f"declare `{name}_count: int = iq.Count({name})` or `any_{name}: bool = iq.Any({name}, ...)` "
                f"in {collection.record.name} and read that",
            )
        root = Root(f"each {collection}", collection.link)
        where = None if collection.where is None else rooted(collection.where, LINK, root)
        if element is not None:
            far = collection.far
            same = compare("eq", Attr(root, far.name, far.type) if far is not None else root, lift(element))
            where = same if where is None else all_of(where, same)
        return Aggregate(kind, self._iq_of, collection, root, where, INT if kind == "count" else BOOL)

    def _iq_length(self) -> Any:
        return Traced(self._iq_aggregate("count"))

    def __bool__(self) -> bool:
        return current().decide(self._iq_aggregate("exists"))

    def __contains__(self, element: object) -> bool:
        return element is not None and current().decide(self._iq_aggregate("exists", element))

    def __iter__(self) -> NoReturn:
        self._iq_aggregate("exists")
        refuse(f"a loop over {self._iq_collection} can't be traced", "ask len(), bool() or `record in` of it")

    def __len__(self) -> NoReturn:
        raise refusal("len() was called in a way that a trace can't see", "call the builtin, `len(x)`")

    def __getitem__(self, index: object) -> NoReturn:
        self.__iter__()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._iq_aggregate("exists")
        refuse(f"{self._iq_collection} has no attribute {name!r} in a callback")


class TracedFields:
    """An event or a payload: its parts by name, else the methods of its class."""

    __slots__ = ("_iq_fields",)
    _iq_fields: Fields

    def __init__(self, fields: Fields) -> None:
        object.__setattr__(self, "_iq_fields", fields)

    def __getattr__(self, name: str) -> Any:
        fields = self._iq_fields
        if name in fields.parts:
            return present(fields.parts[name])
        if name.startswith("__"):
            raise AttributeError(name)
        return _member(self, fields.cls, fields.name, name, list(fields.parts))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        refuse(f"a callback can't set .{name}: it only says what a value is")

    def __eq__(self, other: object) -> bool:
        if other is None:
            return False
        raise refusal(f"{self._iq_fields.name} can't be compared as a whole", "compare its attributes")


def _compute(owner: Traced, expr: Expr, attribute: ComputedProperty) -> Any:
    session = current()
    step: tuple[Attribute, Expr] = (attribute, expr)
    if step in session.computing:
        names = [str(each) for each, _ in session.computing[session.computing.index(step) :]]
        refuse(f"{' -> '.join([*names, str(attribute)])}: a property can't depend on itself")
    session.computing.append(step)
    try:
        return _whole(attribute.function(owner))
    finally:
        session.computing.pop()


def _visible(record: RecordModel) -> list[str]:
    return [name for name, each in record.attributes.items() if not getattr(each, "hidden", False)]


def _member(owner: object, cls: type | None, title: str, name: str, known: list[str], hint: str = "") -> Any:
    """A method, a property or a constant of the user's class."""
    for base in cls.__mro__ if cls is not None else ():
        found = base.__dict__.get(name)
        if isinstance(found, types.FunctionType):
            method = types.MethodType(found, owner)
            return lambda *args, **named: _whole(method(*args, **named))
        if isinstance(found, property) and found.fget is not None:
            return _whole(found.fget(owner))
        if isinstance(found, staticmethod | classmethod):
            return found.__get__(None, cls)
        if name in base.__dict__ and not hasattr(type(found), "__get__") and base is not object:
            return found
    raise refusal(f"{title} has no attribute {name!r}", hint or did_you_mean(name, known))


def _whole(value: Any) -> Any:
    """A text with traced values in it as one traced value, so that it can be asked for more."""
    return wrapped(lift(value)) if type(value) is str else value
