"""Resolving: the declared classes of one controller become a :class:`~interaqt.core.model.Model`.

Every name is looked up here, so classes may be declared in any order, in any module, with or
without ``from __future__ import annotations``.
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
import sys
import typing
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from interaqt.core.computations.aggregation import Aggregation, Target
from interaqt.core.computations.deletion import resolve_ending
from interaqt.core.computations.state_machine import StateMachineSpec, resolve_change
from interaqt.core.computations.transform import resolve_transform
from interaqt.core.declare import AttributeDeclaration, RecordDeclaration, Scope
from interaqt.core.errors import (
    DeclarationError,
    InvalidAttribute,
    InvalidComputation,
    InvalidEntity,
    InvalidInteraction,
    Location,
    UnresolvedName,
    did_you_mean,
)
from interaqt.core.expressions import Root
from interaqt.core.fields import ComputedSpec, FieldSpec, KeySpec, ManySpec, OneSpec
from interaqt.core.interaction import InteractionDeclaration, InteractionModel, PayloadItem
from interaqt.core.many import Many
from interaqt.core.model import (
    Attribute,
    Collection,
    ComputedProperty,
    Mirror,
    Model,
    Property,
    RecordModel,
    Reference,
)
from interaqt.core.record import Record
from interaqt.core.record_rules import resolve_rules
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind, UnsupportedType, ValueType, split_optional, value_type
from interaqt.core.values import check_of

__all__ = ["resolve"]

_LONGEST_NAME = 63
"""Identifiers are cut after this many bytes by PostgreSQL, so longer ones are refused."""


def resolve(classes: Iterable[type], user: type | None = None) -> Model:
    """The model of the classes.

    ``user`` is the record class of ``dispatch(..., user=)``; left out, it is the one named
    ``User``, if there is one. Raises a :class:`~interaqt.DeclarationError` for what is wrong.
    """
    names = _Names(list(classes))
    for declaration, record in names.records():
        _RecordResolver(names, declaration, record).attributes()
    for declaration, record in names.records():
        _RecordResolver(names, declaration, record).connections()
    interactions = {each.cls: _interaction(names, each) for each in names.interactions}
    if user is None:
        actor = next((record for _, record in names.records() if record.name == "User"), None)
    else:
        actor = names.record_of(user, "user=", None)
    model = Model({record.cls: record for _, record in names.records()}, interactions, actor)
    for declaration, record in names.records():
        resolver = _RecordResolver(names, declaration, record)
        resolver.rules(model)
    return model


class _Names:
    """The classes that a controller is given, and the names that annotations may use."""

    def __init__(self, classes: list[type]) -> None:
        self._records: dict[type, tuple[RecordDeclaration, RecordModel]] = {}
        self.interactions: list[InteractionDeclaration] = []
        self._globals: dict[Scope, dict[str, Any]] = {}
        known: dict[str, Location] = {}
        for cls in classes:
            declaration = vars(cls).get("__iq_record__") or vars(cls).get("__iq_interaction__")
            if declaration is None:
                raise InvalidEntity(
                    f"{cls.__name__} is not declared",
                    code="model.not_declared",
                    subject=cls.__name__,
                    location=_location_of(cls),
                    hint="decorate it with @iq.entity, @iq.relation or @iq.interaction",
                )
            if cls in self._records or any(each.cls is cls for each in self.interactions):
                continue
            if declaration.name in known:
                raise InvalidEntity(
                    f"two declarations are named {declaration.name}; the other is at {known[declaration.name]}",
                    code="model.duplicate_name",
                    subject=declaration.name,
                    location=declaration.location,
                    hint="rename one of them; one controller knows each of its classes by name",
                )
            known[declaration.name] = declaration.location
            if isinstance(declaration, RecordDeclaration):
                self._records[cls] = (declaration, _record_model(cls, declaration))
            else:
                self.interactions.append(declaration)
        self.by_name: dict[str, type] = {declaration.name: cls for cls, (declaration, _) in self._records.items()}
        self.by_name |= {each.name: each.cls for each in self.interactions}
        self._tables()

    def _tables(self) -> None:
        tables: dict[str, RecordModel] = {}
        for _, record in self._records.values():
            if record.table in tables:
                raise InvalidEntity(
                    f"{record} and {tables[record.table]} would both be stored in the table {record.table!r}",
                    code="entity.table_clash",
                    subject=record.name,
                    location=record.location,
                )
            tables[record.table] = record

    def records(self) -> Iterable[tuple[RecordDeclaration, RecordModel]]:
        return self._records.values()

    @staticmethod
    def known(classes: Iterable[type]) -> list[str]:
        """The names that may have been meant: what the framework brings along comes last."""
        return [cls.__name__ for cls in sorted(classes, key=lambda cls: cls.__module__.startswith("interaqt."))]

    def record_of(self, cls: Any, subject: str, location: Location | None) -> RecordModel:
        found = self._records.get(cls) if isinstance(cls, type) else None
        if found is None:
            name = getattr(cls, "__name__", repr(cls))
            hint = f"give {name} to the controller with the other models"
            if not isinstance(cls, type) or "__iq_record__" not in vars(cls):
                hint = "name an entity or a relation"
            raise UnresolvedName(
                f"{name} is not among the controller's {'models' if 'give' in hint else 'records'}. "
                f"{did_you_mean(name, self.known(self._records))}",
                subject=subject,
                location=location,
                hint=hint,
            )
        return found[1]

    def annotation(self, scope: Scope, declared: Any, subject: str, location: Location) -> Any:
        """An annotation with its names looked up: those of the function and module it stands in first."""
        if not isinstance(declared, str) and not _has_forward_reference(declared):
            return declared
        names = self._globals.get(scope)
        if names is None:
            module = sys.modules.get(scope.module)
            names = self._globals[scope] = {**self.by_name, **vars(module or typing), **scope.names}
        try:
            while isinstance(declared, str):
                declared = eval(declared, names)
            return typing._eval_type(declared, names, names)  # type: ignore[attr-defined]
        except NameError as error:
            wrong = error.name or ""
            raise UnresolvedName(
                f"there is no {wrong!r}. {did_you_mean(wrong, self.known(self.by_name.values()), _TYPE_NAMES)}",
                subject=subject,
                location=location,
                hint="import it where the class is declared, or give it to the controller with the other models",
            ) from None
        except (TypeError, SyntaxError, AttributeError) as error:
            raise InvalidAttribute(
                f"the type can't be read: {error}", code="attribute.type", subject=subject, location=location
            ) from error


#: Names that an annotation may mean without a model of that name.
_TYPE_NAMES = ("bool", "int", "float", "str", "bytes", "Decimal", "UUID", "Literal", "Many", "dict", "list")


def _location_of(cls: type) -> Location | None:
    """Where a class that is not declared is written."""
    try:
        return Location(inspect.getsourcefile(cls) or "", inspect.getsourcelines(cls)[1])
    except (OSError, TypeError):
        return None


def _has_forward_reference(annotation: Any) -> bool:
    args = typing.get_args(annotation) if typing.get_origin(annotation) is not typing.Literal else ()
    return isinstance(annotation, typing.ForwardRef | str) or any(_has_forward_reference(arg) for arg in args)


def _record_model(cls: type, declaration: RecordDeclaration) -> RecordModel:
    table = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", declaration.name).lower()
    _check_name(table, declaration.name, declaration.location)
    return RecordModel(
        name=declaration.name, cls=cls, table=table, kind=declaration.kind, location=declaration.location
    )


def _check_name(name: str, subject: str, location: Location) -> None:
    # Half is left for the suffixes of indexes and of what computations keep beside a value.
    if len(name.encode()) > _LONGEST_NAME - 20:
        raise InvalidEntity(
            f"{name!r} is too long for a name in the database: {len(name.encode())} bytes, "
            f"of at most {_LONGEST_NAME - 20}",
            code="name.too_long",
            subject=subject,
            location=location,
            hint="shorten it",
        )


@attrs.frozen
class _RecordResolver:
    """Resolves one record's attributes, in three passes: each needs the one before of all records."""

    names: _Names
    declaration: RecordDeclaration
    record: RecordModel

    def attributes(self) -> None:
        """Pass one: what has a column."""
        for each in self.declaration.attributes.values():
            found = self._stored(each)
            if found is not None:
                self.record.attributes[each.name] = found
        self._check_columns()

    def connections(self) -> None:
        """Pass two: relation ends, mirrors and collections, in the order of declaration with the rest."""
        known = self.record.attributes
        found = {
            each.name: known.get(each.name) or self._connected(each) for each in self.declaration.attributes.values()
        }
        known.clear()
        known.update(found)
        for group in self.declaration.unique:
            for name in group:
                self._expect(name, Property | Reference, group)
        self.record.unique = self.declaration.unique
        if self.record.kind == "relation":
            self._ends()

    def rules(self, model: Model) -> None:
        """Pass three: computations, transitions, transforms and deletions."""
        for each in self.declaration.attributes.values():
            attribute = self.record.attributes[each.name]
            if isinstance(each.spec, Aggregation):
                self._aggregation(each.spec, attribute)
            elif isinstance(attribute, ComputedProperty):
                self._computed(attribute)
            elif isinstance(attribute, Property | Reference) and attribute.changes:
                self.record.changes += (resolve_change(model, attribute, each) for each in attribute.changes)
        for transform in self.declaration.transforms:
            resolve_transform(model, self.record, transform)
        for deletion in self.declaration.deletions:
            self.record.endings.append(resolve_ending(model, self.record, deletion))
        resolve_rules(model, self.record, self.declaration.rules)

    # -- pass one

    def _stored(self, each: AttributeDeclaration) -> Attribute | None:
        spec = each.spec
        if isinstance(spec, ManySpec | ComputedSpec):
            return None
        if each.name.startswith("_") or "__" in each.name:
            raise self._error(
                each,
                "a name with leading or double underscores is kept for the framework",
                "name",
                f"write {re.sub('_+', '_', each.name.strip('_'))}",
            )
        _check_name(each.name, self._subject(each), each.location)
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
                f"{_shown(annotation)} of records has no column; it is the other side of a reference",
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
        if not isinstance(spec, OneSpec):
            raise self._error(each, f"{spec} gives no record", "type")
        found = self.names.record_of(target, self._subject(each), each.location)
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
            record=self.record,
            name=each.name,
            location=each.location,
            type=ValueType(Kind.RECORD, nullable, record=found),
            column=f"{each.name}_{self._key_of(found)}",
            target=found,
            unique=spec.unique,
            on_delete=spec.on_delete or cascade,
            changes=spec.changes,
        )

    def _key_of(self, record: RecordModel) -> str:
        return next(declaration.key_name for declaration, each in self.names.records() if each is record)

    def _property(self, each: AttributeDeclaration) -> Property:
        spec = each.spec
        if isinstance(spec, OneSpec):
            shown = _shown(self._annotation(each))
            raise self._error(
                each,
                f"iq.one() is a reference to an entity, but the type is {shown}",
                "type",
                f"write {each.name}: {shown}, or name an entity",
            )
        type = self._value_type(each)
        found = Property(record=self.record, name=each.name, location=each.location, type=type, column=each.name)
        if isinstance(spec, KeySpec):
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
        elif isinstance(spec, Aggregation):
            found.computation = spec
        return found

    def _check_value(self, each: AttributeDeclaration, type: ValueType, value: Any, what: str) -> None:
        if value is not attrs.NOTHING and not isinstance(value, attrs.Factory):  # type: ignore[arg-type]
            wrong = check_of(type)(value)
            if wrong is not None:
                raise self._error(each, f"the {what} {wrong}", "default", _default_hint(each, type, value))

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
                record=self.record,
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
                f"iq.many() is a collection, but the type is {_shown(self._annotation(each))}",
                "many",
                f"write {each.name}: Many[{inner}] = iq.many(...)",
            )
        target = self.names.record_of(args[0], self._subject(each), each.location)
        return self._through(each, spec, target) if spec.through else self._inverse(each, spec, target)

    def _mirror(self, each: AttributeDeclaration, spec: OneSpec, annotation: type, nullable: bool) -> Mirror:
        target = self.names.record_of(annotation, self._subject(each), each.location)
        via = self._back(each, spec.inverse or "", target)
        if not nullable:
            raise self._error(
                each, "there may be none on the other side", "mirror", f"write {each.name}: {target} | None"
            )
        via.unique = True
        return Mirror(
            record=self.record,
            name=each.name,
            location=each.location,
            type=target.type.optional(),
            target=target,
            via=via,
        )

    def _inverse(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        via = self._back(each, spec.inverse or "", target)
        return Collection(record=self.record, name=each.name, location=each.location, link=target, via=via)

    def _back(self, each: AttributeDeclaration, name: str, target: RecordModel) -> Reference:
        """The reference ``target.name``, which must name this record."""
        via = target.attributes.get(name)
        if not isinstance(via, Reference) or via.target is not self.record:
            candidates = [ref.name for ref in target.references() if ref.target is self.record]
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
        onward = [ref for ref in found.link.references() if ref.target is target and ref is not found.via]
        if len(onward) != 1:
            raise self._error(
                each,
                f"{found.link} has {len(onward) or 'no'} reference{'s' * (len(onward) > 1)} to {target} to go on by",
                "through",
                f"{name} leads to {found.link}, whose other references are: "
                + (
                    ", ".join(f"{ref.name} ({ref.target})" for ref in found.link.references() if ref is not found.via)
                    or "none"
                ),
            )
        return Collection(
            record=self.record,
            name=each.name,
            location=each.location,
            link=found.link,
            via=found.via,
            far=onward[0],
        )

    def _ends(self) -> None:
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
            self.record.unique = (*self.record.unique, tuple(end.name for end in ends))

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

    def _aggregation(self, spec: Aggregation, attribute: Attribute) -> None:
        assert isinstance(attribute, Property)
        collection = self.record.attributes.get(spec.over.name)
        declared = self.declaration.attributes.get(spec.over.name)
        if not isinstance(collection, Collection) or declared is None or declared.spec is not spec.over:
            known = [each.name for each in self.record.collections()]
            raise InvalidComputation(
                f"{spec.name_of} runs over a collection of its own class. {did_you_mean(spec.over.name, known)}",
                code=f"{spec.name_of.lower()}.over",
                subject=f"{attribute}: {spec}",
                location=spec.location,
                hint=f"declare one in {self.record}, above: likes: Many[Like] = iq.many(inverse=...)",
            )
        rule = spec.resolve(Target(attribute, collection, str(spec)))
        self.record.rules.append(rule)
        if rule.index is not None and rule.index not in collection.link.indexes:
            collection.link.indexes.append(rule.index)

    def _computed(self, attribute: ComputedProperty) -> None:
        """Traced where nothing uses it, too, so that a mistake in it is found when a controller is made."""
        trace_value(
            attribute.function,
            [Root(_SELF, self.record)],
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
            raise self._error(each, str(error), "type", _type_hint(each.name, annotation)) from None

    def _annotation(self, each: AttributeDeclaration) -> Any:
        return self.names.annotation(self.declaration.scope, each.annotation, self._subject(each), each.location)

    def _subject(self, each: AttributeDeclaration) -> str:
        return f"{self.declaration.name}.{each.name}"

    def _error(self, each: AttributeDeclaration, message: str, code: str, hint: str = "") -> DeclarationError:
        return InvalidAttribute(
            message, code=f"attribute.{code}", subject=self._subject(each), location=each.location, hint=hint
        )


_SELF = "self"


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", "") if isinstance(annotation, type) else str(annotation)


def _type_hint(name: str, annotation: Any) -> str:
    """What to write for an annotation that can't be stored."""
    bare, _ = split_optional(annotation)
    args = typing.get_args(bare)
    if typing.get_origin(bare) in (set, frozenset, Sequence, Iterable) or bare in (set, frozenset):
        return f"write {name}: list[{', '.join(map(_shown, args)) or 'str'}]"
    if typing.get_origin(bare) is typing.Literal or (isinstance(bare, type) and issubclass(bare, enum.Enum)):
        return "give all of them values of one type, such as their names"
    if isinstance(bare, type) and bare.__module__ not in ("builtins", "typing"):
        return f"decorate {bare.__name__} with @iq.entity for records, or with @attrs.frozen for a JSON value"
    return (
        "types are: bool, int, float, Decimal, str, bytes, date, datetime, timedelta, UUID, Enum, Literal, "
        "dict, list, attrs classes, entities"
    )


def _default_hint(each: AttributeDeclaration, type: ValueType, value: Any) -> str:
    if value is None:
        return f"write {each.name}: {type} | None = None, or leave the default out"
    if isinstance(value, dt.datetime):
        return "write dt.datetime(..., tzinfo=dt.UTC)"
    return ""


def _interaction(names: _Names, declaration: InteractionDeclaration) -> InteractionModel:
    items = {}
    for each in declaration.attributes.values():
        subject = f"{declaration.name}.{each.name}"
        annotation = names.annotation(declaration.scope, each.annotation, subject, each.location)
        items[each.name] = _payload_item(names, each, annotation, subject)
    return InteractionModel(
        declaration.name,
        declaration.cls,
        declaration.location,
        items,
        declaration.guard,
        declaration.hooks,
        declaration.idempotency,
    )


def _payload_item(names: _Names, each: AttributeDeclaration, annotation: Any, subject: str) -> PayloadItem:
    bare, nullable = split_optional(annotation)
    spec = each.spec
    required = isinstance(spec, FieldSpec) and spec.default is attrs.NOTHING and spec.factory is None and not nullable
    args = typing.get_args(bare)
    many = typing.get_origin(bare) in (list, tuple, Many) and bool(args)
    inner = args[0] if many else bare
    if isinstance(inner, type) and issubclass(inner, Record):
        record = names.record_of(inner, subject, each.location)
        return PayloadItem(each.name, ValueType(Kind.RECORD, nullable, record=record), many, required)
    try:
        stored = value_type(annotation)
    except UnsupportedType as error:
        raise InvalidInteraction(
            str(error),
            code="interaction.type",
            subject=subject,
            location=each.location,
            hint=_type_hint(each.name, annotation),
        ) from None
    if isinstance(spec, FieldSpec) and spec.default is not attrs.NOTHING:
        wrong = check_of(stored)(spec.default)
        if wrong is not None:
            raise InvalidInteraction(
                f"the default {wrong}",
                code="interaction.default",
                subject=subject,
                location=each.location,
                hint=_default_hint(each, stored, spec.default),
            )
    return PayloadItem(each.name, stored, False, required)
