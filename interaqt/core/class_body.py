"""A class body as written: its attributes in order, each with its annotation, what is behind it, and its line."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from interaqt.core.computations import (
    Deletion,
    Transform,
)
from interaqt.core.errors import InvalidAttribute, Location
from interaqt.core.fields import (
    ComputedAttribute,
    FieldSpec,
    Spec,
)
from interaqt.core.record_rules import RecordRules

__all__ = [
    "AttributeDeclaration",
    "PartDeclaration",
    "RecordDeclaration",
    "Scope",
    "ViewDeclaration",
    "attributes_of",
    "found_in",
]

R = TypeVar("R")


@attrs.frozen(eq=False)
class Scope:
    """Where names in a class body's annotations are looked up."""

    module: str
    names: Mapping[str, Any]
    """What the enclosing function knew, for a class that is declared in one."""


@attrs.define(eq=False)
class AttributeDeclaration:
    """One attribute as written: its annotation (perhaps a string still) and what stands behind it."""

    name: str
    annotation: Any
    spec: Spec
    location: Location


@attrs.frozen(eq=False)
class ViewDeclaration:
    """Of which class a view is, and which of its records are in it."""

    of: type
    where: Callable[[Any], bool]


@attrs.frozen(eq=False)
class PartDeclaration:
    """Of which class a class is one of the kinds, and the names of the attributes that it has from there."""

    of: type
    inherited: frozenset[str]


@attrs.define(eq=False)
class RecordDeclaration:
    """An entity or relation class as written."""

    name: str
    kind: str
    location: Location
    scope: Scope
    attributes: dict[str, AttributeDeclaration]
    transforms: list[Transform[Any]]
    deletions: list[Deletion]
    key_name: str
    unique: tuple[tuple[str, ...], ...] = ()
    repeatable: bool = False
    """A relation that may link one pair more than once."""
    symmetric: bool = False
    """A relation whose ends are of one kind, and mean the same."""
    self_pairs: bool = False
    """A symmetric relation that may link a record to itself."""
    rules: RecordRules = attrs.field(factory=RecordRules)
    view: ViewDeclaration | None = None
    """For a view, what it is of; its attributes are that one's."""
    part: PartDeclaration | None = None
    """For a class that inherits from another entity or relation, what it has from there."""
    abstract: bool = False
    """Whether only its kinds are made."""

    @property
    def own(self) -> list[AttributeDeclaration]:
        """The attributes that it does not inherit."""
        inherited = frozenset[str]() if self.part is None else self.part.inherited
        return [each for name, each in self.attributes.items() if name not in inherited]


def attributes_of(cls: type, location: Location) -> dict[str, AttributeDeclaration]:
    """Every attribute that the class or a plain class above it declares, in order."""
    found: dict[str, AttributeDeclaration] = {}
    for base in _bodies(cls):
        annotations = inspect.get_annotations(base)
        for name, annotation in annotations.items():
            if not _is_class_variable(annotation):
                value = base.__dict__.get(name, attrs.NOTHING)
                found[name] = _attribute(cls, name, annotation, value, location)
        for name, value in vars(base).items():
            if isinstance(value, ComputedAttribute):
                spec = value.spec
                annotation = spec.function.__annotations__.get("return")
                if annotation is None:
                    raise InvalidAttribute(
                        f"a computed property says what it answers: def {name}(self) -> str, for instance",
                        code="computed.annotation",
                        subject=f"{cls.__name__}.{name}",
                        location=spec.location,
                    )
                found[name] = AttributeDeclaration(name, annotation, spec, spec.location)
            elif isinstance(value, Spec) and not isinstance(value, Transform | Deletion) and name not in annotations:
                raise InvalidAttribute(
                    f"{name} has no type; write it as an annotation: {name}: int = ...",
                    code="attribute.no_annotation",
                    subject=f"{cls.__name__}.{name}",
                    location=value.location,
                )
    return found


def _bodies(cls: type) -> list[type]:
    """The class and the plain ones above it, the highest first; not what it inherits of another record."""
    records = [base for base in cls.__mro__[1:] if "__iq_record__" in vars(base)]
    return [base for base in reversed(cls.__mro__[:-1]) if not any(issubclass(each, base) for each in records)]


def _attribute(cls: type, name: str, annotation: Any, value: Any, location: Location) -> AttributeDeclaration:
    if isinstance(value, Spec) and not isinstance(value, Transform | Deletion):
        return AttributeDeclaration(name, annotation, value, value.location)
    place = _line_of(location, name)
    if isinstance(value, Transform | Deletion):
        raise InvalidAttribute(
            f"{type(value).__name__} makes or ends whole records, so it has no type of its own",
            code="attribute.annotated_rule",
            subject=f"{cls.__name__}.{name}",
            location=place,
            hint=f"write it without an annotation: {name} = iq.{type(value).__name__}(...)",
        )
    if isinstance(value, list | dict | set):
        raise InvalidAttribute(
            "a default that can change would be shared by all records",
            code="field.mutable_default",
            subject=f"{cls.__name__}.{name}",
            location=place,
            hint=f"write iq.field(factory={type(value).__name__})",
        )
    return AttributeDeclaration(name, annotation, FieldSpec(place, default=value), place)


def _is_class_variable(annotation: Any) -> bool:
    return "ClassVar" in (annotation if isinstance(annotation, str) else repr(annotation))


def _line_of(location: Location, name: str) -> Location:
    """Where ``name:`` is written, looked for from the class's own line on."""
    lines = linecache.getlines(location.file)
    pattern = re.compile(rf"\s+{re.escape(name)}\s*:")
    for number, line in enumerate(lines[location.line - 1 :], location.line):
        if pattern.match(line):
            return Location(location.file, number)
    return location


def found_in(cls: type, kind: type[R]) -> list[R]:
    found: dict[str, R] = {}
    for base in _bodies(cls):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return list(found.values())
