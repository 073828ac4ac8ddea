"""Resolving an interaction: what each item of its payload is."""

from __future__ import annotations

import typing
from typing import Any

import attrs

from interaqt.core.callbacks import check_event_callback
from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.errors import (
    InvalidInteraction,
)
from interaqt.core.fields import FieldSpec
from interaqt.core.hints import default_hint, type_hint
from interaqt.core.interaction import InteractionDeclaration, InteractionModel, PayloadItem
from interaqt.core.many import Many
from interaqt.core.names import Names
from interaqt.core.record import Record
from interaqt.core.types import Kind, UnsupportedType, ValueType, split_optional, value_type
from interaqt.core.values import check_of

__all__ = ["resolve_interaction"]


def resolve_interaction(names: Names, declaration: InteractionDeclaration) -> InteractionModel:
    items = {}
    for each in declaration.attributes.values():
        subject = f"{declaration.name}.{each.name}"
        annotation = names.annotation(declaration.scope, each.annotation, subject, each.location)
        items[each.name] = _payload_item(names, each, annotation, subject)
    model = InteractionModel(
        declaration.name,
        declaration.cls,
        declaration.location,
        items,
        declaration.guard,
        declaration.hooks,
        declaration.idempotency,
        declaration.locks,
    )
    if declaration.locks is not None:
        check_event_callback(declaration.locks.ask, model, f"{model}: locks=", declaration.location)
    return model


def _payload_item(names: Names, each: AttributeDeclaration, annotation: Any, subject: str) -> PayloadItem:
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
            hint=type_hint(each.name, annotation),
        ) from None
    if isinstance(spec, FieldSpec) and spec.default is not attrs.NOTHING:
        wrong = check_of(stored)(spec.default)
        if wrong is not None:
            raise InvalidInteraction(
                f"the default {wrong}",
                code="interaction.default",
                subject=subject,
                location=each.location,
                hint=default_hint(each, stored, spec.default),
            )
    return PayloadItem(each.name, stored, False, required)
