"""Expressions: what a traced callback means, as plain data.

A node knows its type and its arguments, nothing of how it is computed: ``core.evaluate`` turns
it into Python source and ``storage.sql`` into SQL. Adding an operation is one line in
``OPERATIONS``, one in each of those.

No node is ever NULL unless its ``type.nullable`` says so: reading a nullable attribute in a
callback forks the trace (see ``core.tracing``), so operations only meet values that exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import attrs

from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.core.model import Collection, RecordModel

__all__ = [
    "FALSE",
    "HOST",
    "LINK",
    "OPERATIONS",
    "TRUE",
    "Aggregate",
    "Attr",
    "Const",
    "Expr",
    "Fold",
    "Op",
    "Param",
    "Root",
    "all_of",
    "any_of",
    "case",
    "children",
    "literal",
    "negate",
    "opposite",
    "replace",
    "rooted",
    "walk",
]

BOOL = ValueType(Kind.BOOL)
INT = ValueType(Kind.INT)
STR = ValueType(Kind.STR)

#: Names of the roots of a computation: the record that has the value, and the one that contributes.
HOST, LINK = "host", "link"


@attrs.frozen
class Const:
    """A constant: ``value`` is the Python value (an Enum member, not its stored form)."""

    value: object
    type: ValueType

    # 1, 1.0 and True are equal in Python but are different constants.
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Const)
            and type(self.value) is type(other.value)
            and self.value == other.value
            and self.type == other.type
        )

    def __hash__(self) -> int:
        return hash((type(self.value), repr(self.value)))


@attrs.frozen(cache_hash=True)
class Root:
    """The row that an expression is about; as a value, its key. ``name`` tells two apart."""

    name: str
    record: RecordModel

    @property
    def type(self) -> ValueType:
        return ValueType(Kind.RECORD, record=self.record)


@attrs.frozen(cache_hash=True)
class Param:
    """A value that is given when the expression is run, such as ``payload.title``."""

    name: str
    type: ValueType


@attrs.frozen(cache_hash=True)
class Attr:
    """A property of a record, or a reference to another; as a value, the latter is a key."""

    of: Expr
    name: str
    type: ValueType


@attrs.frozen(cache_hash=True)
class Op:
    """An operation of ``OPERATIONS`` over its arguments."""

    name: str
    args: tuple[Expr, ...]
    type: ValueType


@attrs.frozen
class Aggregate:
    """Over the records of one collection of ``of``: ``kind`` is ``count`` or ``exists``.

    ``where`` is about ``Root(root, ...)``, the element's row. Only queries may use it;
    a computation names the collection in its declaration instead.
    """

    kind: str
    of: Expr
    collection: Collection
    root: Root
    where: Expr | None
    type: ValueType


@attrs.frozen
class Fold:
    """What the records of one collection of ``of`` come to: ``kind`` is ``sum``, ``first`` or ``distinct``.

    ``value`` and ``where`` are about ``root``, a row of ``collection.link``. ``first`` is the value of
    the row that comes first by ``order``, and None where there is none. It is how a computation says
    what it is, worked out anew.
    """

    kind: str
    of: Expr
    collection: Collection
    root: Root
    value: Expr
    where: Expr | None
    order: tuple[Expr, ...]
    descending: bool
    type: ValueType


Expr = Const | Root | Param | Attr | Op | Aggregate | Fold

TRUE = Const(True, BOOL)
FALSE = Const(False, BOOL)

#: Every operation, with what it means. All arguments are of one kind unless it says otherwise:
#: the tracer inserts the conversions.
OPERATIONS: dict[str, str] = {
    # logic, over BOOL; two-valued, for no operand is ever NULL
    "and": "all of the arguments; short-circuits left to right",
    "or": "any of the arguments; short-circuits left to right",
    "not": "negation",
    "case": "(condition, value, condition, value, ..., otherwise); the first that holds",
    "is_null": "whether an Attr or Param of nullable type is None",
    # comparison
    "eq": "equal, of any one kind; RECORD by key",
    "ne": "not equal",
    "lt": "less; STR by code point, DATETIME by instant, False < True",
    "le": "less or equal",
    "gt": "greater",
    "ge": "greater or equal",
    "in": "(value, constant, constant, ...)",
    # arithmetic over INT, FLOAT, DECIMAL; add/sub/neg/abs also over TIMEDELTA
    "add": "also (DATETIME, TIMEDELTA) and (DATE, TIMEDELTA), the latter by whole days, floored",
    "sub": "also (DATETIME, DATETIME), (DATETIME, TIMEDELTA), (DATE, DATE), (DATE, TIMEDELTA)",
    "mul": "also (TIMEDELTA, INT)",
    "truediv": "(FLOAT, FLOAT); the divisor is known not to be 0",
    "floordiv": "INT, and TIMEDELTAs to INT: floored like Python; DECIMAL: truncated like decimal; divisor not 0",
    "mod": "INT: sign of the divisor; DECIMAL: sign of the dividend; divisor not 0",
    "neg": "",
    "abs": "",
    "to_float": "INT or DECIMAL as FLOAT",
    "to_decimal": "INT as DECIMAL; FLOAT by its shortest text, to 30 places, halves away from zero",
    "to_int": "BOOL as INT, 0 or 1",
    "floor": "FLOAT or DECIMAL to INT",
    "ceil": "FLOAT or DECIMAL to INT",
    "trunc": "FLOAT or DECIMAL to INT, towards zero",
    "round": "FLOAT or DECIMAL to INT, halves to even",
    "round_to": "(DECIMAL, constant INT places), halves to even",
    # strings; lengths and positions in code points
    "lower": "full Unicode lower case, as str.lower",
    "upper": "full Unicode upper case, as str.upper ('ß' becomes 'SS')",
    "strip": "Unicode white space off both ends, as str.strip",
    "lstrip": "",
    "rstrip": "",
    "startswith": "(text, prefix)",
    "endswith": "(text, suffix)",
    "contains": "(text, part): part in text; no wildcard has a meaning",
    "replace": "(text, old, new); old is a non-empty constant",
    "concat": "one text after another",
    "length": "of STR in code points, of BYTES in bytes",
    # dates and times; a DATETIME is in UTC
    "year": "of DATE or DATETIME",
    "month": "",
    "day": "",
    "hour": "of DATETIME",
    "minute": "",
    "second": "",
    "microsecond": "",
    "weekday": "Monday is 0",
    "isoweekday": "Monday is 1",
    "date": "DATETIME to DATE",
    "days": "of a TIMEDELTA, floored as timedelta.days",
    "total_seconds": "TIMEDELTA to FLOAT",
    # moments, for what works out when a value changes
    "microseconds": "INT: of a TIMEDELTA; of a DATE or DATETIME, since 1970; no further from 0 than 10 ** 18",
    "earliest": "the least of the INTs that are not None, which each may be; None where none is",
}


def literal(value: bool | int) -> Const:
    return Const(value, BOOL if isinstance(value, bool) else INT)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside one (what is about other rows, as an Aggregate's ``where``, is not)."""
    match expr:
        case Op(args=args):
            return args
        case Attr(of=of) | Aggregate(of=of) | Fold(of=of):
            return (of,)
        case _:
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all inside it, outermost first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def replace(expr: Expr, swap: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with each node for which ``swap`` answers one put in its place, outermost first."""
    found = swap(expr)
    if found is not None:
        return found
    match expr:
        case Op(name, args, type):
            new = tuple(replace(arg, swap) for arg in args)
            return expr if new == args else Op(name, new, type)
        case Attr(of=of) | Aggregate(of=of) | Fold(of=of):
            inner = replace(of, swap)
            return expr if inner == of else attrs.evolve(expr, of=inner)
        case _:
            return expr


def rooted(expr: Expr, root: str, new: Expr) -> Expr:
    """The expression with another expression in the place of ``Root(root)``."""
    return replace(expr, lambda node: new if isinstance(node, Root) and node.name == root else None)


_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def opposite(expr: Op) -> Op | None:
    """The comparison that holds exactly when this one does not; a NaN is neither less nor not less."""
    if expr.name in _OPPOSITE and (expr.name in ("eq", "ne") or expr.args[0].type.kind is not Kind.FLOAT):
        return Op(_OPPOSITE[expr.name], expr.args, BOOL)
    return None


def negate(expr: Expr) -> Expr:
    match expr:
        case Const(value=value):
            return FALSE if value else TRUE
        case Op(name="not", args=(inner,)):
            return inner
        case Op():
            return opposite(expr) or Op("not", (expr,), BOOL)
        case _:
            return Op("not", (expr,), BOOL)


def all_of(*parts: Expr) -> Expr:
    """``and``, flattened and without what is constant."""
    return _join("and", parts, neutral=TRUE, deciding=FALSE)


def any_of(*parts: Expr) -> Expr:
    """``or``, flattened and without what is constant."""
    return _join("or", parts, neutral=FALSE, deciding=TRUE)


def _join(name: str, parts: tuple[Expr, ...], neutral: Const, deciding: Const) -> Expr:
    flat: list[Expr] = []
    for part in parts:
        for inner in part.args if isinstance(part, Op) and part.name == name else (part,):
            if inner == deciding:
                flat.append(inner)
                break
            if inner != neutral and inner not in flat:
                flat.append(inner)
    if not flat:
        return neutral
    if deciding in flat:
        # What stands before it may still matter to nobody: expressions have no effects.
        return deciding
    flat = _memberships(flat, "eq" if name == "or" else "ne")
    return flat[0] if len(flat) == 1 else Op(name, tuple(flat), BOOL)


def _memberships(parts: list[Expr], name: str) -> list[Expr]:
    """``x == 1 or x == 2`` as ``x in (1, 2)``, and ``x != 1 and x != 2`` as ``not x in (1, 2)``."""
    merged: dict[object, tuple[Expr, ...]] = {}
    for place, part in enumerate(parts):
        inner = negate(part) if name == "ne" else part
        if isinstance(inner, Op) and inner.name in ("eq", "in") and isinstance(inner.args[1], Const):
            value, *constants = inner.args
            known = merged.get(value, ())
            merged[value] = known + tuple(each for each in constants if each not in known)
        else:
            merged[place] = (part,)
    return [_membership(key, found, name) if not isinstance(key, int) else found[0] for key, found in merged.items()]


def _membership(value: object, constants: tuple[Expr, ...], name: str) -> Expr:
    found = Op("eq" if len(constants) == 1 else "in", (cast("Expr", value), *constants), BOOL)
    return negate(found) if name == "ne" else found


def case(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """``then if condition else otherwise``, simplified; both values are of one kind."""
    if condition == TRUE or then == otherwise:
        return then
    if condition == FALSE:
        return otherwise
    if isinstance(then, Const) and then.value is None and condition == Op("is_null", (otherwise,), BOOL):
        return otherwise
    if then.type.kind is Kind.BOOL and not (then.type.nullable or otherwise.type.nullable):
        if then == TRUE:
            return any_of(condition, otherwise)
        if then == FALSE:
            return all_of(negate(condition), otherwise)
        if otherwise == FALSE:
            return all_of(condition, then)
        if otherwise == TRUE:
            return any_of(negate(condition), then)
        rest, own = _alternatives(otherwise), _alternatives(then)
        if all(each in own for each in rest):
            # `a and b or c`: c decides on both paths. An index finds this, and nothing finds a CASE.
            return any_of(all_of(condition, any_of(*(each for each in own if each not in rest))), otherwise)
    nullable = then.type.nullable or otherwise.type.nullable
    further = otherwise.args if isinstance(otherwise, Op) and otherwise.name == "case" else (otherwise,)
    return Op("case", (condition, then, *further), then.type.optional(nullable))


def _alternatives(expr: Expr) -> tuple[Expr, ...]:
    return expr.args if isinstance(expr, Op) and expr.name == "or" else (expr,)
