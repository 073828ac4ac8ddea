"""Resolving a record: its attributes, then what connects it to others, then its rules."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from typing import Any

import attrs

from interaqt.core.class_body import AttributeDeclaration, RecordDeclaration
from interaqt.core.computations.aggregation import Aggregation, Computation, Target
from interaqt.core.computations.change import require_one_outcome, resolve_change
from interaqt.core.computations.custom import OwnCustomSpec
from interaqt.core.computations.deletion import resolve_ending
from interaqt.core.computations.own import StoredComputed, resolve_stored
from interaqt.core.computations.real_time import RealTimeSpec, resolve_real_time
from interaqt.core.computations.stamps import StampSpec, resolve_stamp
from interaqt.core.computations.state_machine import StateMachineSpec, warn_of_unreachable_states
from interaqt.core.computations.transform import resolve_transform
from interaqt.core.constraints import other_than_itself, unique_in
from interaqt.core.errors import (
    DeclarationError,
    InvalidAttribute,
    InvalidComputation,
    InvalidEntity,
    did_you_mean,
)
from interaqt.core.expressions import Root
from interaqt.core.fields import ComputedSpec, FieldSpec, KeySpec, ManySpec, OneSpec
from interaqt.core.hints import default_hint, shown, type_hint
from interaqt.core.identity import Identity
from interaqt.core.many import Many
from interaqt.core.model import (
    ONLY,
    Attribute,
    Collection,
    ComputedProperty,
    Mirror,
    Model,
    Property,
    RecordModel,
    Reference,
    Whole,
)
from interaqt.core.names import Names, check_name
from interaqt.core.parts import where_of
from interaqt.core.record import Record
from interaqt.core.record_rules import resolve_rules
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind, UnsupportedType, ValueType, split_optional, value_type
from interaqt.core.values import check_of

__all__ = ["RecordResolver"]

SELF = "self"


@attrs.frozen
class RecordResolver:
    """Resolves one record's attributes, in three passes: each needs the one before of all records."""

    names: Names
    declaration: RecordDeclaration
    record: RecordModel

    def attributes(self) -> None:
        """Pass one: what has a column."""
        self.record.attributes.update(self._inherited)
        for each in self.declaration.own:
            found = self._stored(each)
            if found is not None:
                self.record.attributes[each.name] = found
        self._check_columns()

    @property
    def _inherited(self) -> Mapping[str, Attribute]:
        """What the record has of the one that it inherits from, which is resolved before it."""
        if self.declaration.part is None:
            return {}
        assert self.record.part_of is not None
        return self.record.part_of.attributes

    def connections(self) -> None:
        """Pass two: relation ends, mirrors and collections, in the order of declaration with the rest."""
        known = self.record.attributes
        found = dict(self._inherited)
        found |= {each.name: known.get(each.name) or self._connected(each) for each in self.declaration.own}
        known.clear()
        known.update(found)
        for group in self.declaration.unique:
            for name in group:
                self._expect(name, Property | Reference, group)
        if self.declaration.part is None:
            self.record.root.unique = self.declaration.unique
        if self.record.kind == "relation":
            self._ends()

    def rules(self, model: Model) -> None:
        """Pass three: computations, transitions, transforms and deletions."""
        table = self.record.root
        for each in self.declaration.own:
            attribute = self.record.attributes[each.name]
            if isinstance(each.spec, Aggregation):
                self._aggregation(each.spec, attribute)
            elif isinstance(each.spec, OwnCustomSpec) and isinstance(attribute, Property):
                table.rules.append(each.spec.resolve(self._kept(attribute)))
            elif isinstance(attribute, ComputedProperty):
                self._computed(attribute)
            elif isinstance(each.spec, ComputedSpec) and isinstance(attribute, Property):
                table.rules.append(resolve_stored(self._kept(attribute), each.spec))
            elif isinstance(each.spec, RealTimeSpec) and isinstance(attribute, Property):
                table.rules.append(resolve_real_time(self._kept(attribute), each.spec))
            elif isinstance(attribute, Property | Reference) and attribute.changes:
                self._changes(model, attribute)
        for each in self.declaration.own:
            attribute = self.record.attributes[each.name]
            if isinstance(each.spec, StampSpec) and isinstance(attribute, Property | Reference):
                table.stamps.append(resolve_stamp(model, self.record, self.declaration, attribute, each.spec))
        for transform in self.declaration.transforms:
            resolve_transform(model, self.record, transform)
        for deletion in self.declaration.deletions:
            table.endings.append(resolve_ending(model, self.record, deletion))
        if self.declaration.part is not None:
            table.constraints += [unique_in(self.record, group) for group in self.declaration.unique]
        resolve_rules(model, self.record, self.declaration.rules)
        if self.record.is_dictionary:
            self.record.identity = Identity((self.record.key,), "keep")

    # -- pass one

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

    # -- pass two

    def _connected(self, each: AttributeDeclaration) -> Attribute:
        spec = each.spec
        if isinstance(spec, ComputedSpec):
            return ComputedProperty(
                record=self.record.root,
                owner=self.record,
                name=each.name,
                location=each.location,
                type=self._value_type(each),
                function=spec.function,
            )
        annotation, nullable = split_optional(self._annotation(each))
        if isinstance(spec, OneSpec):
            return self._mirror(each, spec, annotation, nullable)
        assert isinstance(spec, ManySpec)
        args = typing.get_args(annotation)
        if typing.get_origin(annotation) is not Many or not args or nullable:
            inner = getattr(args[0], "__name__", "Other") if args else "Other"
            raise self._error(
                each,
                f"iq.many() is a collection, but the type is {shown(self._annotation(each))}",
                "many",
                f"write {each.name}: Many[{inner}] = iq.many(...)",
            )
        target = self.names.record_of(args[0], self._subject(each), each.location)
        return self._through(each, spec, target) if spec.through else self._inverse(each, spec, target)

    def _mirror(self, each: AttributeDeclaration, spec: OneSpec, annotation: type, nullable: bool) -> Mirror:
        target = self.names.record_of(annotation, self._subject(each), each.location)
        assert spec.inverse is not None
        via = self._back(each, spec.inverse, target)
        if not nullable:
            raise self._error(
                each, "there may be none on the other side", "mirror", f"write {each.name}: {target} | None"
            )
        via.unique = True
        return Mirror(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            type=target.type.optional(),
            target=target,
            via=via,
        )

    def _inverse(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        if not isinstance(spec.inverse, str):
            return self._either(each, spec, target)
        via = self._back(each, spec.inverse, target)
        if self.names.declaration_of(target.made_as).symmetric and via in list(target.references())[:2]:
            ends = tuple(end.name for end in list(target.references())[:2])
            raise self._error(
                each,
                f"{target} is symmetric, so its records are found from both ends, not from {via.name} alone",
                "inverse",
                f"write {each.name}: Many[{target}] = iq.many(inverse={_quoted(ends)})",
            )
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=target.root,
            via=via,
            part=_part(target),
        )

    def _either(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        first, second = (self._back(each, name, target) for name in spec.inverse or ())
        sides = self.names.sides(first, second, each.location)
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=sides.record,
            via=sides.near,
            far=sides.link,
            part=_part(target),
        )

    def _back(self, each: AttributeDeclaration, name: str, target: RecordModel) -> Reference:
        """The reference ``target.name``, which must name this record."""
        via = target.attributes.get(name)
        if not isinstance(via, Reference) or not self.record.is_a(via.target):
            candidates = [ref.name for ref in target.references() if self.record.is_a(ref.target)]
            raise self._error(
                each,
                f"{target} has no reference {name!r} to {self.record}. {did_you_mean(name, candidates)}",
                "inverse",
                "" if candidates else f"declare it in {target}: {name}: {self.record}",
            )
        return via

    def _through(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        name = spec.through or ""
        inner = self.declaration.attributes.get(name)
        if inner is None or not isinstance(inner.spec, ManySpec) or inner.spec.through:
            known = [
                other.name
                for other in self.declaration.attributes.values()
                if isinstance(other.spec, ManySpec) and not other.spec.through
            ]
            raise self._error(
                each, f"{self.record} has no collection {name!r} to go through. {did_you_mean(name, known)}", "through"
            )
        found = self.record.attributes.get(name) or self._connected(inner)
        assert isinstance(found, Collection)
        # Of sides or of what is declared, not of the table of several kinds, which has no attributes yet.
        link = found.link if found.far is not None else found.target
        onward = [
            ref
            for ref in link.references()
            if (target.is_a(ref.target) or ref.target.is_a(target)) and ref is not found.via and ref is not found.far
        ]
        if len(onward) != 1:
            raise self._error(
                each,
                f"{link} has {len(onward) or 'no'} reference{'s' * (len(onward) > 1)} to {target} to go on by",
                "through",
                f"{name} leads to {link}, whose other references are: "
                + (
                    ", ".join(f"{ref.name} ({ref.target})" for ref in link.references() if ref is not found.via)
                    or "none"
                ),
            )
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=found.link,
            via=found.via,
            far=onward[0],
            part=_part(target),
        )

    def _ends(self) -> None:
        if self.declaration.part is not None:
            assert self.record.part_of is not None
            self.record.ends = self.record.part_of.ends
            return
        ends = tuple(self.record.references())[:2]
        nullable = next((end for end in ends if end.type.nullable), None)
        if nullable is not None:
            raise InvalidEntity(
                f"{nullable.name} is an end of the relation, which is never None",
                code="relation.ends",
                subject=str(nullable),
                location=nullable.location,
                hint=f"write {nullable.name}: {nullable.target}, or declare {self.record} with @iq.entity",
            )
        if len(ends) < 2:
            raise InvalidEntity(
                f"a relation has two ends, which are its first two references; {self.record} has {len(ends) or 'none'}",
                code="relation.ends",
                subject=self.record.name,
                location=self.record.location,
                hint=f"add the other one, such as user: User, or declare {self.record} with @iq.entity",
            )
        self.record.ends = ends
        if not self.declaration.repeatable:
            table = self.record.root
            table.unique = (*table.unique, tuple(end.name for end in ends))
        if self.declaration.symmetric:
            self._symmetric(*ends)

    def _symmetric(self, first: Reference, second: Reference) -> None:
        if first.target is not second.target:
            raise InvalidEntity(
                f"the ends of a symmetric relation are of one kind; {first.name} is a {first.target}, "
                f"{second.name} a {second.target}",
                code="relation.symmetric",
                subject=self.record.name,
                location=self.record.location,
                hint="leave symmetric=True out",
            )
        if {first.name, second.name} & {*self.declaration.rules.identity}:
            raise InvalidEntity(
                "a symmetric relation is not known by its ends, of which either may be named first",
                code="relation.symmetric_identity",
                subject=self.record.name,
                location=self.record.location,
                hint="leave identity= out: a pair is linked once in any case, and linking it again is refused",
            )
        sides = self.names.sides(first, second, self.record.location)
        if not self.declaration.repeatable:
            # Named the other way round, the pair has the same two sides.
            sides.record.unique = (*sides.record.unique, (sides.near.name, sides.far.name))
        if not self.declaration.self_pairs:
            self.record.root.constraints.append(other_than_itself(first, second))

    def _expect(self, name: str, kind: Any, group: tuple[str, ...]) -> None:
        if not isinstance(self.record.attributes.get(name), kind):
            stored = [each.name for each in self.record.stored()]
            raise InvalidEntity(
                f"unique={group!r} names {name!r}, which is not stored. {did_you_mean(name, stored)}",
                code="entity.unique",
                subject=self.record.name,
                location=self.record.location,
            )

    # -- pass three

    def _changes(self, model: Model, attribute: Property | Reference) -> None:
        found = [resolve_change(model, attribute, each) for each in attribute.changes]
        require_one_outcome(found)
        if isinstance(attribute, Property) and isinstance(attribute.computation, StateMachineSpec):
            warn_of_unreachable_states(attribute, attribute.computation.initial, found)
        self.record.root.changes += found

    def _kept(self, attribute: Property) -> Property:
        """A derived property as the table has it, where there may be rows of other kinds."""
        found = self.record.root.attributes[attribute.name]
        assert isinstance(found, Property)
        return found

    def _aggregation(self, spec: Aggregation, attribute: Attribute) -> None:
        assert isinstance(attribute, Property)
        if isinstance(spec.over, ManySpec):
            collection = self._own_collection(spec, spec.over, attribute)
        else:
            collection = self._whole(spec, spec.over, attribute)
        rule = spec.resolve(Target(self._kept(attribute), collection, str(spec)))
        self.record.root.rules.append(rule)
        if rule.index is not None and rule.index not in collection.link.indexes:
            collection.link.indexes.append(rule.index)

    def _own_collection(self, spec: Aggregation, over: ManySpec, attribute: Property) -> Collection:
        collection = self.record.attributes.get(over.name)
        declared = self.declaration.attributes.get(over.name)
        if not isinstance(collection, Collection) or declared is None or declared.spec is not over:
            known = [each.name for each in self.record.collections()]
            raise InvalidComputation(
                f"{spec.name_of} runs over a collection of its own class. {did_you_mean(over.name, known)}",
                code=f"{spec.name_of.lower()}.over",
                subject=f"{attribute}: {spec}",
                location=spec.location,
                hint=f"declare one in {self.record}, above: likes: Many[Like] = iq.many(inverse=...)",
            )
        return collection

    def _whole(self, spec: Aggregation, over: type, attribute: Property) -> Collection:
        """All records of a class, for a value of a dictionary."""
        link = self.names.record_of(over, f"{attribute}: {spec}", spec.location)
        via = link.root.constant(self.record.cls)
        assert via is not None, f"{self.record} is a dictionary, to which every record leads"
        whole = Whole(
            record=self.record.root,
            owner=self.record,
            name=link.name,
            location=spec.location,
            link=link.root,
            via=via,
            part=_part(link),
        )
        whole.where = where_of(whole, None)
        return whole

    def _computed(self, attribute: ComputedProperty) -> None:
        """Traced where nothing uses it, too, so that a mistake in it is found when a controller is made."""
        trace_value(
            attribute.function,
            [Root(SELF, self.record)],
            attribute.type,
            subject=f"{attribute}: computed",
            location=attribute.location,
            allow_collections=True,
        )

    # -- shared

    def _value_type(self, each: AttributeDeclaration) -> ValueType:
        annotation = self._annotation(each)
        try:
            return value_type(annotation)
        except UnsupportedType as error:
            raise self._error(each, str(error), "type", type_hint(each.name, annotation)) from None

    def _annotation(self, each: AttributeDeclaration) -> Any:
        return self.names.annotation(self.declaration.scope, each.annotation, self._subject(each), each.location)

    def _subject(self, each: AttributeDeclaration) -> str:
        return f"{self.declaration.name}.{each.name}"

    def _error(self, each: AttributeDeclaration, message: str, code: str, hint: str = "") -> DeclarationError:
        return InvalidAttribute(
            message, code=f"attribute.{code}", subject=self._subject(each), location=each.location, hint=hint
        )


def _quoted(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'"{name}"' for name in names) + ")"


def _part(record: RecordModel) -> RecordModel | None:
    """What a collection is of, if that is not all that lies in the table."""
    return None if record.part_of is None else record
