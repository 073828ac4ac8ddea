"""The names that declarations may use: the classes of one controller, and what their modules know."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from interaqt.core.class_body import RecordDeclaration, Scope, ViewDeclaration
from interaqt.core.errors import (
    InvalidAttribute,
    InvalidEntity,
    Location,
    UnresolvedName,
    did_you_mean,
)
from interaqt.core.family import kind_of
from interaqt.core.interaction import InteractionDeclaration
from interaqt.core.model import RecordModel, Reference
from interaqt.core.sides import Sides, sides_of

__all__ = ["Names", "check_name"]

#: What annotations are most often meant to say.
_TYPE_NAMES = ("bool", "int", "float", "str", "bytes", "Decimal", "UUID", "Literal", "Many", "dict", "list")


_LONGEST_NAME = 63
"""Identifiers are cut after this many bytes by PostgreSQL, so longer ones are refused."""


class Names:
    """The classes that a controller is given, and the names that annotations may use."""

    def __init__(self, classes: list[type]) -> None:
        self._records: dict[type, tuple[RecordDeclaration, RecordModel]] = {}
        self.interactions: list[InteractionDeclaration] = []
        self._globals: dict[Scope, dict[str, Any]] = {}
        self._sides: dict[frozenset[Reference], Sides] = {}
        self._views: dict[type, tuple[RecordDeclaration, RecordModel]] = {}
        known: dict[str, Location] = {}
        records: dict[type, RecordDeclaration] = {}
        views: dict[type, RecordDeclaration] = {}
        for cls in classes:
            declaration = vars(cls).get("__iq_record__") or vars(cls).get("__iq_interaction__")
            if declaration is None:
                raise InvalidEntity(
                    f"{cls.__name__} is not declared",
                    code="model.not_declared",
                    subject=cls.__name__,
                    location=_location_of(cls),
                    hint="decorate it with @iq.entity, @iq.relation, @iq.view or @iq.interaction",
                )
            if cls in records or cls in views or any(each.cls is cls for each in self.interactions):
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
            if not isinstance(declaration, RecordDeclaration):
                self.interactions.append(declaration)
            elif declaration.view is None:
                records[cls] = declaration
            else:
                views[cls] = declaration
        for cls in records:
            self._add(cls, records)
        for cls in sorted(views, key=lambda cls: len(cls.__mro__)):
            # What it is a view of has fewer classes above it, so that is known by now.
            self._views[cls] = (views[cls], self._view_model(cls, views[cls], views[cls].view))
        self.by_name: dict[str, type] = {cls.__name__: cls for cls in (*self._records, *self._views)}
        self.by_name |= {each.name: each.cls for each in self.interactions}
        self._tables()

    def _tables(self) -> None:
        tables: dict[str, RecordModel] = {}
        for record in self.roots():
            if record.table in tables:
                raise InvalidEntity(
                    f"{record} and {tables[record.table]} would both be stored in the table {record.table!r}",
                    code="entity.table_clash",
                    subject=record.name,
                    location=record.location,
                )
            tables[record.table] = record

    def _add(self, cls: type, declarations: Mapping[type, RecordDeclaration]) -> None:
        """Add the model of a class, after that of the one that it inherits from."""
        declaration = declarations[cls]
        if cls in self._records:
            return
        if declaration.part is None:
            model = _record_model(cls, declaration)
        else:
            if declaration.part.of in declarations:
                self._add(declaration.part.of, declarations)
            base = self.record_of(declaration.part.of, declaration.name, declaration.location)
            model = kind_of(cls, declaration, base)
        self._records[cls] = (declaration, model)

    def records(self) -> Iterable[tuple[RecordDeclaration, RecordModel]]:
        """The entities and relations, each after the one that it inherits from."""
        return self._records.values()

    def roots(self) -> list[RecordModel]:
        """The records that have tables of their own, as far as they are declared."""
        return list(dict.fromkeys(record.root for _, record in self._records.values()))

    def sides(self, first: Reference, second: Reference, location: Location) -> Sides:
        """The sides of a record by two of its references, which are made when they are first asked for."""
        found = self._sides.get(frozenset({first, second}))
        if found is None:
            found = self._sides[frozenset({first, second})] = sides_of((first, second), location)
        return found

    def models(self) -> Iterable[RecordModel]:
        """Every record, the views and the framework's own sides last."""
        declared = [record for _, record in (*self.records(), *self.views())]
        return [*declared, *(each.record for each in self._sides.values())]

    def views(self) -> Iterable[tuple[RecordDeclaration, RecordModel]]:
        """The views, each after what it is of."""
        return self._views.values()

    def _view_model(self, cls: type, declaration: RecordDeclaration, view: ViewDeclaration | None) -> RecordModel:
        assert view is not None
        of = self.record_of(view.of, f"{declaration.name}: view", declaration.location)
        return RecordModel(
            name=declaration.name, cls=cls, table=of.table, kind="view", location=declaration.location, part_of=of,
            attributes=of.attributes,
        )  # fmt: skip

    @staticmethod
    def known(classes: Iterable[type]) -> list[str]:
        """The names that may have been meant: what the framework brings along comes last."""
        return [cls.__name__ for cls in sorted(classes, key=lambda cls: cls.__module__.startswith("interaqt."))]

    def declaration_of(self, record: RecordModel) -> RecordDeclaration:
        return self._records[record.cls][0]

    def record_of(self, cls: Any, subject: str, location: Location | None) -> RecordModel:
        found = (self._records.get(cls) or self._views.get(cls)) if isinstance(cls, type) else None
        if found is not None and found[1].is_dictionary:
            raise InvalidEntity(
                f"{found[1]} is a dictionary; there is one of it, so it is neither referred to nor counted",
                code="dictionary.reference",
                subject=subject,
                location=location,
                hint=f"read its values where they are needed: {found[1]}.some_value",
            )
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
    check_name(table, declaration.name, declaration.location)
    return RecordModel(
        name=declaration.name,
        cls=cls,
        table=table,
        kind=declaration.kind,
        location=declaration.location,
        abstract=declaration.abstract,
    )


def check_name(name: str, subject: str, location: Location) -> None:
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
