"""Constraints: what a database refuses to store, as arguments of a declaration.

``Unique``, ``Check`` and ``NonNull`` are what a user writes; a :class:`ConstraintModel` is what
one means once the names are known and the condition is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs

from interaqt.core.errors import InvalidEntity, Location, did_you_mean
from interaqt.core.expressions import BOOL, TRUE, Aggregate, Attr, Expr, Op, Root, all_of, any_of, negate, walk
from interaqt.core.model import Mirror, Property, RecordModel, Reference
from interaqt.core.parts import belongs
from interaqt.core.tracing import trace_value

__all__ = [
    "OWN",
    "Check",
    "Constraint",
    "ConstraintModel",
    "NonNull",
    "Unique",
    "other_than_itself",
    "require_constraints",
    "resolve_constraint",
    "unique_in",
]

#: The root of a condition: the record that is about to be stored.
OWN = "own"

Condition = Callable[[Any], bool]


class Constraint:
    """One of :class:`Unique`, :class:`Check` and :class:`NonNull`."""

    attributes: tuple[str, ...] = ()
    condition: Condition | None = None
    name: str | None
    code: str | None
    location: Location

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.attributes))})"


class Unique(Constraint):
    """Values that occur together only once: ``iq.Unique("email", where=lambda user: user.active)``.

    ``where`` says of which records that holds; left out, of all. None is not the same as another
    None. A relation's ends may be among the attributes. ``code`` is the ``violation_code`` of the
    error, ``name`` the constraint's in the database.
    """

    def __init__(
        self, *attributes: str, where: Condition | None = None, name: str | None = None, code: str | None = None
    ) -> None:
        self.location = Location.of_caller()
        self.attributes, self.condition, self.name, self.code = attributes, where, name, code
        _require(self, bool(attributes), f"takes the names of attributes, such as {_EXAMPLE}")


class Check(Constraint):
    """What holds of every record: ``iq.Check(lambda product: product.price >= 0, name="price_not_negative")``.

    The condition is plain Python over the record's own values, and becomes SQL. The database
    looks at it with every statement, so it must hold after each step of a dispatch.
    """

    def __init__(self, condition: Condition, *, name: str | None = None, code: str | None = None) -> None:
        self.location = Location.of_caller()
        self.condition, self.name, self.code = condition, name, code
        _require(self, callable(condition), "takes a condition, such as iq.Check(lambda product: product.price >= 0)")


class NonNull(Constraint):
    """An attribute that must not be None after all, everywhere or ``where`` a condition holds.

    ``iq.NonNull("shipped_at", where=lambda order: order.status == "shipped")``. What is never None
    has a type without None, and needs no constraint.
    """

    def __init__(
        self, attribute: str, *, where: Condition | None = None, name: str | None = None, code: str | None = None
    ) -> None:
        self.location = Location.of_caller()
        self.attributes, self.condition, self.name, self.code = (attribute,), where, name, code
        _require(self, True, "")


_EXAMPLE = 'iq.Unique("email")'


def _require(constraint: Constraint, right: bool, message: str) -> None:
    names: tuple[object, ...] = constraint.attributes
    condition: object = constraint.condition
    wrong = next((each for each in names if not isinstance(each, str)), None)
    if wrong is not None:
        right, message = False, f"takes the names of attributes as texts, not {wrong!r}"
    elif condition is not None and not callable(condition):
        right, message = False, f"takes a condition, such as lambda user: user.active, not {condition!r}"
    for argument, value in (("name", constraint.name), ("code", constraint.code)):
        given: object = value
        if given is not None and (not isinstance(given, str) or not given):
            right, message = False, f"takes a text as {argument}=, not {given!r}"
    if not right:
        raise InvalidEntity(
            f"{type(constraint).__name__} {message}",
            code="constraint.argument",
            subject=type(constraint).__name__,
            location=constraint.location,
        )


@attrs.frozen(eq=False, kw_only=True)
class ConstraintModel:
    """A resolved constraint: a Unique's ``condition`` is which records it is about, any other's what must hold."""

    kind: Literal["unique", "check", "not_null"]
    record: RecordModel
    attributes: tuple[Property | Reference, ...]
    condition: Expr | None
    name: str | None
    code: str | None
    location: Location

    def __str__(self) -> str:
        return self.name or f"{self.kind} of {', '.join(each.name for each in self.attributes)}"


def other_than_itself(first: Reference, second: Reference) -> ConstraintModel:
    """That the two ends of a relation's record are not one and the same."""
    ends = tuple(Attr(Root(OWN, first.record), each.name, each.type) for each in (first, second))
    return ConstraintModel(
        kind="check",
        record=first.record,
        attributes=(first, second),
        condition=Op("ne", ends, BOOL),
        name=f"{first.record.table}_no_self_pairs",
        code="relation.self_pair",
        location=first.record.location,
    )


def resolve_constraint(record: RecordModel, constraint: Constraint) -> ConstraintModel:
    """What a constraint of the record means."""
    attributes = tuple(_attribute(record, constraint, name) for name in constraint.attributes)
    condition = None if constraint.condition is None else _traced(record, constraint, constraint.condition)
    kind: Literal["unique", "check", "not_null"] = "unique"
    if isinstance(constraint, Check):
        kind = "check"
        assert condition is not None
        attributes = tuple(dict.fromkeys(_used(record.root, condition)))
        if not attributes:
            raise _error(record, constraint, "it says nothing about the record", "constant")
    elif isinstance(constraint, NonNull):
        kind = "not_null"
        condition = _exists(record, constraint, attributes[0], condition)
    elif len(set(attributes)) < len(attributes):
        raise _error(record, constraint, "it names an attribute twice", "unique")
    return ConstraintModel(
        kind=kind,
        record=record.root,
        attributes=attributes,
        condition=_within(record, kind, attributes, condition),
        name=constraint.name,
        code=constraint.code,
        location=constraint.location,
    )


def unique_in(record: RecordModel, names: tuple[str, ...]) -> ConstraintModel:
    """That values occur together only once in one kind of record; of other kinds nothing is said."""
    attributes = tuple(each for each in map(record.attributes.get, names) if isinstance(each, Property | Reference))
    return ConstraintModel(
        kind="unique",
        record=record.root,
        attributes=attributes,
        condition=_within(record, "unique", attributes, None),
        name=None,
        code=None,
        location=record.location,
    )


def _within(
    record: RecordModel, kind: str, attributes: tuple[Property | Reference, ...], condition: Expr | None
) -> Expr | None:
    """The condition of a constraint that is about one kind of the records in a table."""
    belonging = belongs(record, Root(OWN, record.root))
    if belonging == TRUE:
        return condition
    if kind != "unique":
        assert condition is not None
        return any_of(negate(belonging), condition)
    if condition is None and any(_is_given_by(record, each) for each in attributes):
        # The others have None there, which is not the same as another None.
        return None
    return belonging if condition is None else all_of(belonging, condition)


def _is_given_by(record: RecordModel, attribute: Property | Reference) -> bool:
    """Whether only makers of this kind of record give the attribute."""
    return attribute.owner is record and attribute.computation is None


def _attribute(record: RecordModel, constraint: Constraint, name: str) -> Property | Reference:
    found = record.attributes.get(name)
    if not isinstance(found, Property | Reference) or found.hidden:
        known = [each.name for each in record.stored() if not each.hidden]
        raise _error(record, constraint, f"{record} stores no {name!r}. {did_you_mean(name, known)}", "attribute")
    return found


def _exists(record: RecordModel, constraint: Constraint, attribute: Property | Reference, where: Expr | None) -> Expr:
    if not attribute.type.nullable:
        raise _error(
            record,
            constraint,
            f"{attribute} is {attribute.type}, which is never None",
            "not_null",
            f"leave it out, or write {attribute.name}: {attribute.type} | None",
        )
    value = Attr(Root(OWN, record.root), attribute.name, attribute.type)
    exists = negate(Op("is_null", (value,), BOOL))
    return exists if where is None else any_of(negate(where), exists)


def _traced(record: RecordModel, constraint: Constraint, condition: Condition) -> Expr:
    found = trace_value(
        condition,
        [Root(OWN, record)],
        BOOL,
        subject=f"{record}: {constraint}",
        location=constraint.location,
    )
    for each in walk(found):
        beyond = _beyond(each)
        if beyond is not None:
            raise _error(
                record,
                constraint,
                f"the condition looks at {beyond}, which is not a value of the {record} itself",
                "condition",
                "a database checks a row by what is in it; a rule over other records is a guard's, or that of a "
                "derived value that the record has",
            )
    return found


def _beyond(expr: Expr) -> str | None:
    """What an expression reads that is not in the row."""
    if isinstance(expr, Aggregate):
        return f"the collection {expr.collection.name}"
    if not isinstance(expr, Attr):
        return None
    record = expr.of.type.record
    assert record is not None
    attribute = record.attributes[expr.name]
    if isinstance(attribute, Mirror):
        return str(attribute)
    # A reference is stored as the key of what it leads to.
    is_key = isinstance(attribute, Property) and attribute.key
    return None if isinstance(expr.of, Root) or is_key else str(attribute)


def _used(record: RecordModel, condition: Expr) -> Iterator[Property | Reference]:
    for each in walk(condition):
        if isinstance(each, Attr) and isinstance(each.of, Root):
            attribute = record.attributes[each.name]
            assert isinstance(attribute, Property | Reference)
            yield attribute


def _error(record: RecordModel, constraint: Constraint, message: str, code: str, hint: str = "") -> InvalidEntity:
    return InvalidEntity(
        message,
        code=f"constraint.{code}",
        subject=f"{record}: {constraint}",
        location=constraint.location,
        hint=hint,
    )


def require_constraints(found: object, subject: str, location: Location) -> tuple[Constraint, ...]:
    """``constraints=`` as a tuple of them, if it is a list of them."""
    given = list(found) if isinstance(found, list | tuple) else [found]
    constraints = [each for each in given if isinstance(each, Constraint)]
    if constraints != given or not isinstance(found, list | tuple):
        wrong = next((each for each in given if not isinstance(each, Constraint)), found)
        raise InvalidEntity(
            f"constraints= takes a list of iq.Unique, iq.Check and iq.NonNull, not {getattr(wrong, '__name__', wrong)}",
            code="entity.constraints",
            subject=subject,
            location=location,
            hint=f"write constraints=[{_EXAMPLE}]",
        )
    return tuple(constraints)
