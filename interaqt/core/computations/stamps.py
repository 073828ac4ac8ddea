"""Stamps: when an attribute was last changed, by whom, and how often; written with the change itself.

What interactions do to an attribute is told: what the maker of a record gave is no change, nor is
a change to the value that is there. ``to`` and ``leaving`` say which changes are meant.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import attrs

from interaqt.core.computations.aggregation import HOST
from interaqt.core.computations.state_machine import Written
from interaqt.core.errors import InvalidComputation, Location, being_declared, did_you_mean
from interaqt.core.expressions import BOOL, INT, Attr, Const, Expr, Op, Param, Root, all_of, case
from interaqt.core.fields import FieldSpec, OneSpec, Spec
from interaqt.core.model import Model, Property, RecordModel, Reference
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of

if TYPE_CHECKING:
    from interaqt.core.class_body import RecordDeclaration

__all__ = ["Stamp", "StampSpec", "change_count", "changed_at", "changed_by", "resolve_stamp"]

StampKind = Literal["at", "by", "count"]


class _Any(enum.Enum):
    ANY = "any"


#: Any value: None is one, too.
ANY: Final[Any] = _Any.ANY


def changed_at(
    attribute: object, /, *, to: object = ANY, leaving: object = ANY, init: Literal[False] = False
) -> dt.datetime | None:
    """When an interaction last changed the attribute; None before it did.

    ``paid_at: dt.datetime | None = iq.changed_at(status, to="paid")`` tells of changes to a value,
    ``leaving="draft"`` of those from one. It is the time of the event, written with the change.
    """
    return cast("dt.datetime | None", StampSpec("at", attribute, to, leaving, Location.of_caller()))


def changed_by(attribute: object, /, *, to: object = ANY, leaving: object = ANY, init: Literal[False] = False) -> Any:
    """Who last changed the attribute: ``paid_by: User | None = iq.changed_by(status, to="paid")``.

    A reference to the user of the dispatch, or with ``str | None`` what the event record keeps of
    it, its key as text. None before any change, and where the user of the last one is no such record.
    """
    return StampSpec("by", attribute, to, leaving, Location.of_caller())


def change_count(attribute: object, /, *, to: object = ANY, leaving: object = ANY, init: Literal[False] = False) -> int:
    """How often interactions changed the attribute: ``reopened: int = iq.change_count(status, to="open")``."""
    return cast(int, StampSpec("count", attribute, to, leaving, Location.of_caller()))


_NAMES: dict[StampKind, str] = {"at": "changed_at", "by": "changed_by", "count": "change_count"}


class StampSpec(Written):
    def __init__(self, kind: StampKind, attribute: Any, to: Any, leaving: Any, location: Location) -> None:
        self.kind, self.attribute, self.to, self.leaving, self.location = kind, attribute, to, leaving, location
        self.initial = 0 if kind == "count" else None
        if not isinstance(attribute, Spec):
            raise InvalidComputation(
                f"{_NAMES[kind]} takes an attribute of the class that interactions change, declared above, "
                f"not {attribute!r}",
                code="stamp.attribute",
                subject=f"{being_declared()}: {_NAMES[kind]}(...)",
                location=location,
                hint="write content: str = iq.field(changes=iq.on(...)), and below it iq.changed_at(content)",
            )

    def __str__(self) -> str:
        said = [f"{name}={value!r}" for name, value in (("to", self.to), ("leaving", self.leaving)) if value is not ANY]
        return f"{_NAMES[self.kind]}({', '.join([self.attribute.name, *said])})"


@attrs.frozen(eq=False)
class Stamp:
    """A resolved stamp: ``property`` is written where ``attribute`` changes in the way that is meant.

    ``own`` is none that a user declares: it says that an attribute was changed at all.
    """

    property: Property | Reference
    attribute: Property | Reference
    kind: Literal["at", "by", "actor", "count", "own"]
    to: Any = ANY
    leaving: Any = ANY

    def may_tell(self, new: Any) -> bool:
        """Whether a change to the value is one that it tells of, whatever it was before."""
        return self.to is ANY or bool(new == self.to)

    def tells(self, old: Any, new: Any) -> bool:
        """Whether it tells of a change."""
        return bool(old != new) and self.may_tell(new) and (self.leaving is ANY or bool(old == self.leaving))

    def value(self, present: Any, event: Any) -> Any:
        """What it becomes, from what it is and from what is known of the event."""
        return present + 1 if self.kind == "count" else event

    def assignment(self, new: Param, event: Expr) -> Expr:
        """What it becomes with a change to a value that it may tell of, as an expression over the row as it was."""
        row = Root(HOST, self.attribute.record)
        old = Attr(row, self.attribute.name, self.attribute.type)
        present = Attr(row, self.property.name, self.property.type)
        meant: list[Expr] = [Op("ne", (old, new), BOOL)]
        if self.leaving is None:
            meant.append(Op("is_null", (old,), BOOL))
        elif self.leaving is not ANY:
            meant.append(Op("eq", (old, Const(self.leaving, self.attribute.type)), BOOL))
        one = Const(1, INT)
        told = Op("add", (present, one), INT) if self.kind == "count" else event
        return case(all_of(*meant), told, present)

    def __str__(self) -> str:
        return str(self.property)


def resolve_stamp(
    model: Model, record: RecordModel, declaration: RecordDeclaration, property: Property | Reference, spec: StampSpec
) -> Stamp:
    """Find the attribute that it is about, and check that its type and states fit."""
    subject = f"{property}: {spec}"

    def error(message: str, code: str, hint: str = "") -> InvalidComputation:
        return InvalidComputation(message, code=f"stamp.{code}", subject=subject, location=spec.location, hint=hint)

    found = record.attributes.get(spec.attribute.name)
    declared = declaration.attributes.get(spec.attribute.name)
    if declared is None or declared.spec is not spec.attribute or not isinstance(found, Property | Reference):
        known = [each.name for each in record.stored() if each.changes]
        raise error(
            f"it is about an attribute of its own class. {did_you_mean(spec.attribute.name, known)}", "attribute"
        )
    if not found.changes:
        what = "iq.one" if isinstance(spec.attribute, OneSpec) else "iq.field"
        hint = f"declare which: {found.name}: ... = {what}(changes=iq.on(...))"
        raise error(
            f"no interaction changes {found}",
            "unchanged",
            hint if isinstance(spec.attribute, FieldSpec | OneSpec) else "a derived value changes with its records",
        )
    kind = _kind(model, property, spec.kind, error)
    for argument, state in (("to", spec.to), ("leaving", spec.leaving)):
        wrong = None if state is ANY else check_of(found.type)(state)
        if wrong is not None:
            members = found.type.members
            if members and type(state) is type(members[0]):
                wrong = f"is not a state. {did_you_mean(str(state), map(str, members))}"
            raise error(f"{argument}={state!r} {wrong}", "state")
    if isinstance(found, Reference) and not all(each is ANY or each is None for each in (spec.to, spec.leaving)):
        raise error("of a reference only to=None and leaving=None are known before there are records", "state")
    _require_told(record, found, spec, error)
    # As the table has them, in which there may be rows of other kinds.
    written, told = (record.root.attributes[each.name] for each in (property, found))
    assert isinstance(written, Property | Reference)
    assert isinstance(told, Property | Reference)
    return Stamp(written, told, kind, spec.to, spec.leaving)


def _kind(model: Model, property: Property | Reference, kind: StampKind, error: Any) -> Any:
    """What the stamp is by its attribute's type, which must fit."""
    users = None if model.user is None else model.user.type.optional()
    fitting = {
        "at": [ValueType(Kind.DATETIME, True)],
        "by": [*([] if users is None else [users]), ValueType(Kind.STR, True)],
        "count": [INT],
    }[kind]
    if property.type not in fitting:
        raise error(
            f"it gives {fitting[0]}, but the attribute is declared {property.type}",
            "type",
            f"write {property.name}: {fitting[0]}",
        )
    return "actor" if kind == "by" and isinstance(property, Property) else kind


def _require_told(record: RecordModel, attribute: Property | Reference, spec: StampSpec, error: Any) -> None:
    """Refuse a stamp that nothing ever writes."""
    changes = [each for each in record.root.changes if each.attribute is attribute]
    if any(each.asks or each.moves is None for each in changes):
        return
    moves = [(state, after) for each in changes for state, after in (each.moves or {}).items()]
    if not any(
        (spec.to is ANY or after == spec.to) and (spec.leaving is ANY or state == spec.leaving)
        for state, after in moves
    ):
        way = " ".join(
            f"{word} {state!r}" for word, state in (("from", spec.leaving), ("to", spec.to)) if state is not ANY
        )
        raise error(f"no move leads {way}, so it would never be written", "never")
