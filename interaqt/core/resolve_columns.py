"""Resolving what a record stores: its properties and its references."""

from __future__ import annotations

import re
import typing
from typing import Any

import attrs

from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.computations.aggregation import Computation
from interaqt.core.computations.own import StoredComputed
from interaqt.core.computations.stamps import StampSpec
from interaqt.core.computations.state_machine import StateMachineSpec
from interaqt.core.errors import (
    InvalidAttribute,
)
from interaqt.core.fields import ComputedSpec, FieldSpec, KeySpec, ManySpec, OneSpec
from interaqt.core.hints import default_hint, shown
from interaqt.core.many import Many
from interaqt.core.model import (
    ONLY,
    Attribute,
    Property,
    RecordModel,
    Reference,
)
from interaqt.core.names import check_name
from interaqt.core.record import Record
from interaqt.core.resolver import Resolver
from interaqt.core.types import Kind, ValueType, split_optional
from interaqt.core.values import check_of

__all__ = ["Columns"]


@attrs.frozen
class Columns(Resolver):
    """The first pass: what has a column."""

    def resolve(self) -> None:
        self.record.attributes.update(self.inherited)
        for each in self.declaration.own:
            found = self._stored(each)
            if found is not None:
                self.record.attributes[each.name] = found
        self._check_columns()

    def _stored(self, each: AttributeDeclaration) -> Attribute | None:
        spec = each.spec
        if isinstance(spec, ManySpec) or (isinstance(spec, ComputedSpec) and not spec.stored):
            return None
        if each.name.startswith("_") or "__" in each.name:
            raise self._error(
                each,
                "a name with leading or double underscores is kept for the framework",
                "name",
                f"write {re.sub('_+', '_', each.name.strip('_'))}",
            )
        check_name(each.name, self._subject(each), each.location)
        annotation, nullable = split_optional(self._annotation(each))
        if typing.get_origin(annotation) is Many or annotation is Many:
            raise self._error(
                each,
                "a collection says where it comes from",
                "many",
                f"write {each.name}: {each.annotation} = iq.many(inverse=...) or iq.many(through=...)",
            )
        if isinstance(annotation, type) and issubclass(annotation, Record):
            return self._reference(each, annotation, nullable)
        inner = next(iter(typing.get_args(annotation)), None)
        if isinstance(inner, type) and issubclass(inner, Record):
            raise self._error(
                each,
                f"{shown(annotation)} of records has no column; it is the other side of a reference",
                "many",
                f"write {each.name}: Many[{inner.__name__}] = iq.many(inverse=...), "
                f"with a reference to {self.record} in {inner.__name__}",
            )
        return self._property(each)

    def _reference(self, each: AttributeDeclaration, target: type, nullable: bool) -> Reference | None:
        spec = each.spec
        if isinstance(spec, FieldSpec):
            spec = OneSpec(
                each.location, None, spec.unique, None, spec.default, spec.changes
            )  # an annotated reference needs no iq.one()
        elif isinstance(spec, StampSpec):
            # Who did something may go; that it was done stays.
            spec = OneSpec(each.location, on_delete="set_null" if nullable else None)
        if not isinstance(spec, OneSpec):
            raise self._error(
                each, f"{spec} gives no record", "type", "follow the reference where the record is needed"
            )
        found = self.names.record_of(target, self._subject(each), each.location)
        if found.is_view:
            raise self._error(
                each,
                f"{found} is a view, and what is in it now may leave it, which a reference would outlive",
                "view",
                f"write {each.name}: {found.root}, and ask where it matters whether the record is in the view",
            )
        if spec.inverse is not None:
            return None
        if spec.default not in (attrs.NOTHING, None) or (spec.default is None and not nullable):
            raise self._error(
                each,
                "a reference has no default but None, for T | None",
                "default",
                f"write {each.name}: {target.__name__} | None = None, or leave the default out",
            )
        cascade = "cascade" if self.record.kind == "relation" else "restrict"
        if spec.on_delete == "set_null" and not nullable:
            raise self._error(
                each,
                "on_delete='set_null' needs a reference that may be None",
                "on_delete",
                f"write {each.name}: {found} | None = iq.one(on_delete='set_null'), or on_delete='cascade'",
            )
        return Reference(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            type=ValueType(Kind.RECORD, nullable, record=found),
            column=f"{each.name}_{self._key_of(found)}",
            target=found,
            unique=spec.unique,
            on_delete=spec.on_delete or cascade,
            computation=each.spec if isinstance(each.spec, StampSpec) else None,
            changes=spec.changes,
        )

    def _key_of(self, record: RecordModel) -> str:
        return next(declaration.key_name for declaration, each in self.names.records() if each is record)

    def _property(self, each: AttributeDeclaration) -> Property:
        spec = each.spec
        if isinstance(spec, OneSpec):
            written = shown(self._annotation(each))
            raise self._error(
                each,
                f"iq.one() is a reference to an entity, but the type is {written}",
                "type",
                f"write {each.name}: {written}, or name an entity",
            )
        type = self._value_type(each)
        found = Property(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            type=type,
            column=each.name,
        )
        if isinstance(spec, KeySpec) and self.record.is_dictionary:
            # The database itself then knows that there is no other one.
            found.key, found.type = True, attrs.evolve(type, members=(ONLY,))
        elif isinstance(spec, KeySpec):
            if type.kind not in (Kind.INT, Kind.UUID) or type.nullable or type.members:
                raise self._error(
                    each,
                    f"a key is an int or a UUID, not {type}",
                    "key",
                    f"write {each.name}: {type} = iq.field(unique=True); the key is id: int then",
                )
            found.key = True
        elif isinstance(spec, FieldSpec):
            found.unique, found.index, found.changes = spec.unique, spec.index, spec.changes
            self._check_value(each, type, spec.default, "default")
        elif isinstance(spec, StateMachineSpec):
            found.computation, found.changes = spec, spec.transitions
            self._check_value(each, type, spec.initial, "initial state")
        elif isinstance(spec, Computation):
            found.computation = spec
        elif isinstance(spec, ComputedSpec):
            found.computation, found.unique, found.index = StoredComputed(spec), spec.unique, spec.index
        return found

    def _check_value(self, each: AttributeDeclaration, type: ValueType, value: Any, what: str) -> None:
        if value is not attrs.NOTHING and not isinstance(value, attrs.Factory):  # type: ignore[arg-type]
            wrong = check_of(type)(value)
            if wrong is not None:
                raise self._error(each, f"the {what} {wrong}", "default", default_hint(each, type, value))

    def _check_columns(self) -> None:
        columns: dict[str, Property | Reference] = {}
        for each in self.record.stored():
            other = columns.setdefault(each.column.lower(), each)
            if other is not each:
                raise InvalidAttribute(
                    f"{each.name} and {other.name} would both be stored in the column {each.column!r}",
                    code="attribute.column_clash",
                    subject=str(each),
                    location=each.location,
                    hint=f"rename {each.name}",
                )
