"""A class that inherits from an entity or a relation: a kind of that one, with attributes of its own besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.errors import InvalidAttribute, InvalidEntity, Location
from interaqt.core.fields import ComputedSpec, FieldSpec, KeySpec
from interaqt.core.record import Record

__all__ = ["base_of", "with_inherited"]


def base_of(cls: type, kind: str, location: Location) -> Any:
    """The declared class that a class inherits from; None where there is none."""
    bases = [base for base in cls.__bases__ if issubclass(base, Record)]
    if not bases:
        return None

    def refuse(message: str, code: str, hint: str) -> NoReturn:
        raise InvalidEntity(message, code=f"entity.{code}", subject=cls.__name__, location=location, hint=hint)

    if len(bases) > 1:
        names = " and ".join(base.__name__ for base in bases)
        refuse(
            f"{cls.__name__} inherits from {names}, but its records lie in one table",
            "several_bases",
            "inherit from one of them, and from plain classes for what several have in common",
        )
    (base,) = bases
    declared: Any = vars(base).get("__iq_record__")
    if declared is None:
        refuse(
            f"{cls.__name__} inherits from {base.__name__}, which is not decorated itself",
            "undeclared_base",
            f"decorate {base.__name__} with @iq.{kind}",
        )
    if declared.kind != kind:
        reasons = {"view": "is made as what it is a view of", "dictionary": "is there once"}
        reason = reasons.get(declared.kind, f"has no kinds but {declared.kind.replace('entity', 'entitie')}s")
        refuse(
            f"{cls.__name__} inherits from {base.__name__}, which is {_a(declared.kind)} and {reason}",
            "base_kind",
            "inherit from an entity" if declared.kind in reasons else f"decorate it with @iq.{declared.kind}",
        )
    return base


def _a(kind: str) -> str:
    return f"{'an' if kind == 'entity' else 'a'} {kind}"


def with_inherited(
    cls: type, base: Any, own: Mapping[str, AttributeDeclaration], options: Mapping[str, object], location: Location
) -> tuple[dict[str, AttributeDeclaration], dict[str, AttributeDeclaration]]:
    """All attributes of a class, the inherited ones first, and those that its own body says something of."""
    given = next((name for name, value in options.items() if value), None)
    if given is not None:
        raise InvalidEntity(
            f"{given}= is said of all {base.__name__} records together, for they lie in one table",
            code="entity.part_option",
            subject=cls.__name__,
            location=location,
            hint=f"write it above class {base.__name__}",
        )
    inherited: dict[str, AttributeDeclaration] = base.__iq_record__.attributes
    for name, each in own.items():
        if isinstance(each.spec, KeySpec):
            _refuse(cls, each, f"the key is that of {base.__name__}, for both have one table", "leave it out")
        if name in inherited:
            _require_same(cls, base, inherited[name], each)
    hidden = next((name for name in vars(cls) if name in inherited and name not in own), None)
    if hidden is not None:
        _refuse(
            cls,
            inherited[hidden],
            f"{hidden} is an attribute of {base.__name__}",
            f"write {hidden}: {_shown(inherited[hidden].annotation)} = ... for another default, or use another name",
        )
    return {**inherited, **{name: each for name, each in own.items() if name not in inherited}}, dict(own)


def _require_same(cls: type, base: type, before: AttributeDeclaration, each: AttributeDeclaration) -> None:
    """An inherited attribute may be given another default, and no other meaning."""
    old, new = before.spec, each.spec
    if isinstance(old, ComputedSpec) or not isinstance(old, FieldSpec) or not isinstance(new, FieldSpec):
        _refuse(
            cls,
            each,
            f"{each.name} is {old} in {base.__name__}, and means the same of all its kinds",
            "give it another name",
        )
    if str(before.annotation) != str(each.annotation):
        _refuse(
            cls,
            each,
            f"{each.name} is {_shown(before.annotation)} in {base.__name__}, "
            f"and can't be {_shown(each.annotation)} here",
            "give it another name, or the same type",
        )
    if new.unique or new.index or new.changes:
        _refuse(
            cls,
            each,
            f"{each.name} is declared in {base.__name__}; here it can have another default, and no more",
            f"say the rest where {base.__name__}.{each.name} is declared",
        )


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _refuse(cls: type, each: AttributeDeclaration, message: str, hint: str) -> NoReturn:
    raise InvalidAttribute(
        message,
        code="attribute.inherited",
        subject=f"{cls.__name__}.{each.name}",
        location=each.location,
        hint=hint,
    )
