"""ScopedSequence: a number that a record gets when it is made, the next one in its scope; no gap, no double.

How far a scope has come is counted in the database, in a row that whoever takes numbers holds until the
transaction ends: a second one waits for the first, and gets the same number where that one is undone.
"""

from __future__ import annotations

import builtins
import enum
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import attrs

from interaqt.core.computations.aggregation import Computation
from interaqt.core.computations.rule import HOST, PropertyRule
from interaqt.core.errors import InvalidComputation, Location, being_declared, did_you_mean
from interaqt.core.expressions import Attr, Expr, Root
from interaqt.core.fields import ManySpec, Spec
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import LazyAttribute
from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.core.class_body import RecordDeclaration

__all__ = ["ScopedSequence", "SequenceRule", "SequenceSpec", "require_kept_scopes", "resolve_sequence"]


@overload
def ScopedSequence(*scope: object, start: int = ..., init: Literal[False] = ...) -> int: ...
@overload
def ScopedSequence(*scope: object, start: int = ..., default: None) -> int: ...
def ScopedSequence(*scope: object, start: int = 1, default: Any = attrs.NOTHING, init: Literal[False] = False) -> int:
    """The record's number among those with the same values of ``scope``: 1, 2, 3 in the order in which they are made.

    ``scope`` are attributes of the class that are declared above and never change; without any, all
    records of the class are counted together. The first number is ``start``. A number never changes,
    and that of a record which is deleted is given to no other one. What a transaction took that is
    undone is given again, so there are no gaps, and each scope has one writer at a time.

    With ``default=None`` a maker may give the number itself: one that :meth:`Controller.reserve` answered.
    """
    location, subject = Location.of_caller(), f"{being_declared()}: ScopedSequence(...)"

    def refuse(message: str, code: str, hint: str) -> InvalidComputation:
        return InvalidComputation(message, code=f"sequence.{code}", subject=subject, location=location, hint=hint)

    found = tuple(each.spec if isinstance(each, LazyAttribute) else each for each in scope)
    wrong = next((each for each in found if not isinstance(each, Spec)), None)
    if wrong is not None:
        name = wrong if isinstance(wrong, str) and wrong.isidentifier() else "project"
        quotes = ", without quotes" if name is wrong else ""
        raise refuse(
            f"its scope is attributes of the class, declared above with a value, not {wrong!r}",
            "scope",
            f"write {name}: ... = iq.one() for a reference, = iq.field() for a value, "
            f"and below it iq.ScopedSequence({name}){quotes}",
        )
    if isinstance(start, bool) or not isinstance(start, int):
        raise refuse(f"start= is the first number, an int, not {start!r}", "start", "write start=1000, or leave it out")
    if default not in (attrs.NOTHING, None):
        raise refuse(
            f"default= takes None, for the next number, not {default!r}",
            "default",
            "write default=None where makers may give numbers that were reserved; start= is the first number",
        )
    given: object = init
    if given is not False:
        raise refuse(
            "a maker gives no number unless it was reserved",
            "init",
            "write default=None instead: then a maker may give one that controller.reserve(...) answered",
        )
    return cast(int, SequenceSpec(found, start, default is None, location))


class SequenceSpec(Computation):
    """``given`` says that makers may give the number."""

    def __init__(self, scope: Sequence[Any], start: int, given: bool, location: Location) -> None:
        self.scope, self.start, self.given, self.location = tuple(scope), start, given, location

    @property
    def follows_row(self) -> bool:
        return True

    def __str__(self) -> str:
        parts = [each.name for each in self.scope]
        return f"ScopedSequence({', '.join([*parts, f'start={self.start}'] if self.start != 1 else parts)})"


@attrs.frozen(eq=False, kw_only=True)
class SequenceRule(PropertyRule):
    """Keeps numbers of ``record``, counted apart for each combination of values of ``scope``.

    - delta: a row that is made takes the next number, a change or a deletion takes none;
    - recompute: a row without a number takes the next one, and no counter is behind the highest number.
    """

    root = HOST
    with_row = True

    scope: tuple[Property | Reference, ...]
    spec: SequenceSpec

    @builtins.property
    def source(self) -> RecordModel:
        return self.property.record

    @builtins.property
    def start(self) -> int:
        """The first number of each scope."""
        return self.spec.start

    def reads(self) -> Iterator[Expr]:
        row = Root(HOST, self.record)
        return (Attr(row, each.name, each.type) for each in self.scope)

    def counter(self, values: Sequence[Any]) -> str:
        """What the counter of a scope is called, ``Issue.number(project)[7]``: the same wherever it is asked."""
        text = json.dumps([_plain(each) for each in values], ensure_ascii=False, separators=(",", ":"))
        if len(text) > _LONGEST:
            text = f"{text[:_SHOWN]}...{hashlib.blake2s(text.encode()).hexdigest()}"
        return f"{self._counted}{text}"

    @builtins.property
    def counters(self) -> tuple[str, str]:
        """What all counters of the rule are called lies between these."""
        return (f"{self._counted}[", f"{self._counted}\\")

    @builtins.property
    def _counted(self) -> str:
        return f"{self}({','.join(each.name for each in self.scope)})"


#: Characters of a scope's values that are kept as they are; of more of them, the first and a hash.
_LONGEST, _SHOWN = 120, 50

#: What has one text for each value.
_COUNTED_BY = frozenset({Kind.INT, Kind.STR, Kind.BOOL, Kind.ENUM, Kind.DATE, Kind.UUID, Kind.RECORD})


def _plain(value: Any) -> Any:
    """A value of a scope as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    return value if isinstance(value, str | int) else str(value)


def resolve_sequence(
    record: RecordModel, declaration: RecordDeclaration, property: Property, spec: SequenceSpec
) -> SequenceRule:
    """The rule of a number, which is unique in its scope from now on; ``property`` is as the table has it."""
    declared = record.attributes[property.name]

    def refuse(message: str, code: str, hint: str = "") -> InvalidComputation:
        return InvalidComputation(
            message, code=f"sequence.{code}", subject=f"{declared}: {spec}", location=spec.location, hint=hint
        )

    assert isinstance(declared, Property)
    if record.is_dictionary:
        raise refuse("there is one record of a dictionary, which is not counted", "dictionary", "leave it out")
    if declared.type != ValueType(Kind.INT):
        raise refuse(
            f"it gives int, but the attribute is declared {declared.type}", "type", f"write {property.name}: int"
        )
    scope = []
    for each in spec.scope:
        found = _scope(record, declaration, each, refuse)
        if found in scope:
            raise refuse(f"its scope names {found.name} twice", "scope")
        scope.append(found)
    table = record.root
    names = (*(each.name for each in scope), property.name)
    if not any(set(group) == set(names) for group in table.unique):
        table.unique = (*table.unique, names)
    return SequenceRule(property=property, scope=tuple(scope), spec=spec)


def require_kept_scopes(record: RecordModel) -> None:
    """Refuse an identity by which making a record again would change what its number is counted by."""
    found: RecordModel | None = record
    while found is not None:
        identity = found.identity
        for rule in record.root.sequences if identity is not None and identity.conflict == "update" else ():
            changed = [each for each in rule.scope if identity is not None and each.name not in identity.names]
            if changed:
                raise InvalidComputation(
                    f'identity_conflict="update" may change {changed[0]}, and the number of a record stays what it is',
                    code="sequence.scope",
                    subject=f"{rule}: {rule.spec}",
                    location=rule.location,
                    hint=f'let {changed[0].name} be a part of the identity, or write identity_conflict="keep"',
                )
        found = found.part_of


def _scope(record: RecordModel, declaration: RecordDeclaration, spec: Any, refuse: Any) -> Property | Reference:
    """An attribute of a scope, as the table has it."""
    found = record.attributes.get(spec.name)
    known = declaration.attributes.get(spec.name)
    if isinstance(spec, ManySpec):
        raise refuse(f"{spec.name} is a collection, and its scope is values of the record itself", "scope")
    if known is None or known.spec is not spec or not isinstance(found, Property | Reference):
        names = [each.name for each in record.stored() if not each.hidden and each.computation is None]
        raise refuse(f"its scope is attributes of its own class. {did_you_mean(spec.name, names)}", "scope")
    if isinstance(found, Property) and found.key:
        raise refuse(f"its scope is {found}, of which each record has its own", "scope", "leave it out")
    if found.computation is not None or found.changes:
        does = "is changed by interactions" if found.changes else f"is kept by {found.computation}"
        raise refuse(
            f"{found} {does}, and the number of a record stays what it is",
            "scope",
            "let its scope be what makers give once and for all",
        )
    if found.type.nullable:
        raise refuse(
            f"{found} may be None, and None is not the same as another None",
            "scope",
            f"write {spec.name}: {found.type.optional(False)}, or leave it out of the scope",
        )
    if found.type.kind not in _COUNTED_BY:
        raise refuse(
            f"{found} is {found.type}, of which one and the same value may be written in several ways",
            "scope",
            "let its scope be references, numbers, texts, dates, or members of an Enum or a Literal",
        )
    kept = record.root.attributes[found.name]
    assert isinstance(kept, Property | Reference)
    return kept
