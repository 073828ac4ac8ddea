"""Stand-ins: what a callback is given instead of records and values while it is traced.

They record what is done to them. All of a stand-in's own names begin with ``_iq_``: any other
name may be an attribute of the user's.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from interaqt.core.errors import did_you_mean
from interaqt.core.expressions import BOOL, INT, Aggregate, Attr, Const, Expr, Op, Param, Root, all_of, any_of
from interaqt.core.lift import expression_of, lift
from interaqt.core.model import Attribute, Collection, ComputedProperty, Mirror, Property, RecordModel, Reference
from interaqt.core.trace_session import CUSTOM, current, describe, refusal, refuse
from interaqt.core.typed_operations import arithmetic, compare, power, rounded, truth, unary
from interaqt.core.types import Kind
from interaqt.core.value_attributes import value_attribute

__all__ = ["Fields", "Traced", "TracedFields", "TracedMany", "present", "stand_in"]


@attrs.frozen
class Fields:
    """Something with named parts that is no stored record, such as an event and its payload."""

    name: str
    parts: Mapping[str, Expr | Fields]
    cls: type | None = None
    """The class whose methods it has besides."""


def stand_in(source: Expr | Fields) -> Any:
    """What stands for ``source`` in a callback, if it exists; see :func:`present`."""
    return TracedFields(source) if isinstance(source, Fields) else Traced(source)


def present(source: Expr | Fields) -> Any:
    """A stand-in, or the real None on a path on which ``source`` is None."""
    if isinstance(source, Attr | Param) and source.type.nullable and current().decide(Op("is_null", (source,), BOOL)):
        return None
    return stand_in(source)


def _binary(name: str, left: object, right: object) -> Any:
    # Python's own TypeError for None is the right one: the trace says which attribute may be None.
    if left is None or right is None:
        return NotImplemented
    return Traced(arithmetic(name, lift(left), lift(right)))


def _comparison(name: str, left: object, right: object) -> Any:
    if right is None:
        return {"eq": False, "ne": True}.get(name, NotImplemented)
    return Traced(compare(name, lift(left), lift(right)))


class Traced:
    """A value, never None: a scalar, or a record by its attributes."""

    __slots__ = ("_iq_expr",)
    _iq_expr: Expr

    def __init__(self, expr: Expr) -> None:
        object.__setattr__(self, "_iq_expr", expr)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        expr = self._iq_expr
        if expr.type.kind is Kind.RECORD and expr.type.record is not None:
            return _record_attribute(self, expr, expr.type.record, name)
        return _wrapped(value_attribute(expr, name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        refuse(f"a callback can't set .{name}: it only says what a value is", "iq.field(changes=...) declares a change")

    def __repr__(self) -> str:
        return f"<traced {describe(self._iq_expr)}>"

    # -- truth and comparison

    def __bool__(self) -> bool:
        return current().decide(truth(self._iq_expr))

    def __eq__(self, other: object) -> Any:
        return _comparison("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return _comparison("ne", self, other)

    def __lt__(self, other: object) -> Any:
        return _comparison("lt", self, other)

    def __le__(self, other: object) -> Any:
        return _comparison("le", self, other)

    def __gt__(self, other: object) -> Any:
        return _comparison("gt", self, other)

    def __ge__(self, other: object) -> Any:
        return _comparison("ge", self, other)

    def __hash__(self) -> NoReturn:
        raise refusal(
            f"{describe(self._iq_expr)} is looked up in a set or dict, which a trace can't see",
            f"write a tuple, `x in (...)`, or a chain of `if`; else, {CUSTOM}",
        )

    # -- arithmetic

    def __add__(self, other: object) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: object) -> Any:
        return _binary("add", other, self)

    def __sub__(self, other: object) -> Any:
        return _binary("sub", self, other)

    def __rsub__(self, other: object) -> Any:
        return _binary("sub", other, self)

    def __mul__(self, other: object) -> Any:
        return _binary("mul", self, other)

    def __rmul__(self, other: object) -> Any:
        return _binary("mul", other, self)

    def __truediv__(self, other: object) -> Any:
        return _binary("truediv", self, other)

    def __rtruediv__(self, other: object) -> Any:
        return _binary("truediv", other, self)

    def __floordiv__(self, other: object) -> Any:
        return _binary("floordiv", self, other)

    def __rfloordiv__(self, other: object) -> Any:
        return _binary("floordiv", other, self)

    def __mod__(self, other: object) -> Any:
        return _binary("mod", self, other)

    def __rmod__(self, other: object) -> Any:
        return _binary("mod", other, self)

    def __divmod__(self, other: object) -> Any:
        return self // other, self % other

    def __pow__(self, other: object) -> Any:
        return Traced(power(self._iq_expr, other))

    def __rpow__(self, other: object) -> NoReturn:
        refuse(f"{other!r} ** {describe(self._iq_expr)} can't be traced", CUSTOM)

    def __and__(self, other: object) -> Any:
        return self._iq_logic(other, "and")

    def __or__(self, other: object) -> Any:
        return self._iq_logic(other, "or")

    __rand__, __ror__ = __and__, __or__

    def _iq_logic(self, other: object, name: str) -> Any:
        both = self._iq_expr, lift(other)
        if any(each.type.kind is not Kind.BOOL for each in both):
            refuse(f"bitwise {name} can't be traced", f"for a condition, write `{name}`")
        return Traced(all_of(*both) if name == "and" else any_of(*both))

    def __invert__(self) -> NoReturn:
        refuse("~ can't be traced", "for a condition, write `not`")

    def __neg__(self) -> Any:
        return Traced(unary("neg", self._iq_expr))

    def __pos__(self) -> Any:
        return Traced(unary("pos", self._iq_expr))

    def __abs__(self) -> Any:
        return Traced(unary("abs", self._iq_expr))

    def __round__(self, places: object = None) -> Any:
        return Traced(rounded("round", self._iq_expr, places))

    def __floor__(self) -> Any:
        return Traced(rounded("floor", self._iq_expr))

    def __ceil__(self) -> Any:
        return Traced(rounded("ceil", self._iq_expr))

    def __trunc__(self) -> Any:
        return Traced(rounded("trunc", self._iq_expr))

    # -- text and containers

    def _iq_length(self) -> Any:
        if self._iq_expr.type.kind not in (Kind.STR, Kind.BYTES):
            refuse(f"{describe(self._iq_expr)} is a {self._iq_expr.type.optional(False)}, which has no length")
        return Traced(Op("length", (self._iq_expr,), INT))

    def __len__(self) -> NoReturn:
        raise refusal("len() was called in a way that a trace can't see", "call the builtin, `len(x)`")

    def __contains__(self, part: object) -> bool:
        if self._iq_expr.type.kind is not Kind.STR:
            refuse(f"`in {describe(self._iq_expr)}`: only a str can be searched", CUSTOM)
        inner = lift(part)
        if inner.type.kind is not Kind.STR:
            raise TypeError(f"'in <string>' requires string, not {inner.type}")
        return current().decide(Op("contains", (self._iq_expr, inner), BOOL))

    def __str__(self) -> str:
        return current().token(_text(self._iq_expr))

    def __format__(self, spec: str) -> str:
        if spec:
            refuse(f"the format {spec!r} can't be traced", CUSTOM)
        return str(self)

    def __iter__(self) -> NoReturn:
        refuse(f"a loop over {describe(self._iq_expr)} can't be traced", CUSTOM)

    def __getitem__(self, key: object) -> NoReturn:
        refuse(f"{describe(self._iq_expr)}[...] can't be traced", CUSTOM)

    def __call__(self, *args: object) -> NoReturn:
        raise TypeError(f"{describe(self._iq_expr)} is a {self._iq_expr.type.optional(False)} and can't be called")

    def __int__(self) -> NoReturn:
        refuse("int(x) can't be traced", "write math.trunc(x), or round(x)")

    def __float__(self) -> NoReturn:
        refuse("float(x) can't be traced, nor can what calls it, such as math.sqrt", f"write `x * 1.0`; else, {CUSTOM}")

    def __index__(self) -> NoReturn:
        raise refusal(f"{describe(self._iq_expr)} is used as an index or in range(), which can't be traced", CUSTOM)


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
        where = None
        if element is not None:
            far = collection.far
            where = compare("eq", Attr(root, far.name, far.type) if far is not None else root, lift(element))
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


# -- attributes of records ----------------------------------------------------------------


def _record_attribute(owner: Traced, expr: Expr, record: RecordModel, name: str) -> Any:
    attribute = record.attributes.get(name)
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
            return _compute(owner, expr, attribute)
        case _:
            return _member(owner, record.cls, record.name, name, list(record.attributes))


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


def _member(owner: object, cls: type | None, title: str, name: str, known: list[str]) -> Any:
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
    raise refusal(f"{title} has no attribute {name!r}", did_you_mean(name, known))


def _whole(value: Any) -> Any:
    """A text with traced values in it as one traced value, so that it can be asked for more."""
    return _wrapped(lift(value)) if type(value) is str else value


def _wrapped(value: Any) -> Any:
    """An expression as its stand-in; the method of a value so that its result is one."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Root | Param | Attr | Op | Aggregate):
        return Traced(value)
    return lambda *args, **named: _wrapped(value(*args, **named))


def _text(expr: Expr) -> Expr:
    """What ``str()`` of a value is, where that is the same everywhere."""
    if expr.type.kind is Kind.STR:
        return expr
    if expr.type.kind is Kind.ENUM:
        return value_attribute(expr, "__str__")()  # type: ignore[operator]
    kind = expr.type.optional(False)
    raise refusal(
        f"{describe(expr)} is {kind}, and only a str can be put into a text",
        f"format it where it is shown; else, {CUSTOM}",
    )


def is_stand_in(value: object) -> bool:
    return isinstance(value, TracedFields | TracedMany) or expression_of(value) is not None
