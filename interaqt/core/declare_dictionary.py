"""``@dictionary``: global values of a model, in a class of which there is one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import attrs
from typing_extensions import dataclass_transform

from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.computations import (
    Any as AnyOf,
)
from interaqt.core.computations import (
    Average,
    Count,
    Custom,
    Deletion,
    Distinct,
    Every,
    First,
    Last,
    Maximum,
    Minimum,
    RealTime,
    StateMachine,
    Summation,
    Transform,
    WeightedSummation,
    change_count,
    changed_at,
    changed_by,
)
from interaqt.core.computations.aggregation import Aggregation
from interaqt.core.constraints import Constraint
from interaqt.core.declare import decorate
from interaqt.core.dictionary import Dictionary
from interaqt.core.errors import InvalidAttribute, InvalidComputation, InvalidEntity, Location
from interaqt.core.fields import FieldSpec, KeySpec, ManySpec, OneSpec, Spec, field, one

__all__ = ["dictionary"]

R = TypeVar("R")


@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        one,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        Custom,
        RealTime,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
    ),
)
def dictionary(cls: type[R], /) -> type[R]: ...
@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        one,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        Custom,
        RealTime,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
    ),
)
def dictionary(*, constraints: Sequence[Constraint] = ...) -> Callable[[type[R]], type[R]]: ...
def dictionary(cls: Any = None, /, *, constraints: Sequence[Constraint] = ()) -> Any:
    """Declare global values: typed attributes of which there is one each in a database.

    A computation runs over a class, ``posts: int = iq.Count(Post)``: over all of its records. A
    field has a default, and interactions change it without ``record=``. In callbacks of the model,
    in conditions and in queries a value is read on the class, ``Totals.posts``; elsewhere it is an
    attribute of ``system.storage.get(Totals)``.
    """
    return decorate(cls, "dictionary", base=Dictionary, check=_check, rules=(constraints, (), "keep", None))


def _check(cls: type, attributes: dict[str, AttributeDeclaration], rules: Sequence[Spec], location: Location) -> None:
    """Refuse what has no meaning where there is one record that nobody makes."""
    for rule in rules:
        assert isinstance(rule, Transform | Deletion)
        raise InvalidEntity(
            f"{rule} stands in a dictionary, of which there is one all the time",
            code="dictionary.rule",
            subject=f"{cls.__name__}.{rule.name}",
            location=rule.location,
            hint="write it in the entity whose records it makes or ends",
        )
    for each in attributes.values():
        _check_attribute(cls, each)
    if "id" in attributes:
        raise InvalidEntity(
            "id is the key of a dictionary's only record",
            code="dictionary.key",
            subject=f"{cls.__name__}.id",
            location=attributes["id"].location,
            hint="give the value another name",
        )


def _check_attribute(cls: type, each: AttributeDeclaration) -> None:
    spec, wrong, hint = each.spec, "", ""
    if isinstance(spec, KeySpec):
        wrong, hint = "a dictionary has no key: there is one", "leave it out"
    elif isinstance(spec, ManySpec):
        wrong, hint = "a dictionary has no collections", "a computation runs over a class: iq.Count(Post)"
    elif isinstance(spec, OneSpec) and spec.inverse is not None:
        wrong, hint = "nothing refers to a dictionary", f"write {each.name}: Post | None = iq.one(default=None)"
    elif isinstance(spec, OneSpec) and spec.on_delete == "cascade":
        wrong, hint = "a dictionary is not deleted with what it refers to", "write on_delete='set_null'"
    elif _has_no_value(spec):
        wrong = "nobody makes a dictionary, so each of its values says what it is at first"
        value = "None" if "None" in str(each.annotation) else "..."
        hint = f"write {each.name}: {each.annotation} = {value}, or give it a default="
    elif isinstance(spec, Aggregation) and not isinstance(spec.over, type):
        raise InvalidComputation(
            f"{spec.name_of} runs over a class in a dictionary, not over a collection",
            code=f"{spec.name_of.lower()}.over",
            subject=f"{cls.__name__}.{each.name}: {spec}",
            location=spec.location,
            hint=f"write iq.{spec.name_of}(Post, ...)",
        )
    if wrong:
        raise InvalidAttribute(
            wrong, code="dictionary.attribute", subject=f"{cls.__name__}.{each.name}", location=each.location, hint=hint
        )


def _has_no_value(spec: Spec) -> bool:
    if isinstance(spec, OneSpec):
        return spec.default is attrs.NOTHING
    return isinstance(spec, FieldSpec) and spec.default is attrs.NOTHING and spec.factory is None
