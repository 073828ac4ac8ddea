"""What each pass over a record's declaration needs: its annotations, its subjects, its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from interaqt.core.class_body import AttributeDeclaration, RecordDeclaration
from interaqt.core.errors import (
    DeclarationError,
    InvalidAttribute,
)
from interaqt.core.hints import type_hint
from interaqt.core.model import (
    Attribute,
    RecordModel,
)
from interaqt.core.names import Names
from interaqt.core.types import UnsupportedType, ValueType, value_type

__all__ = ["Resolver", "part_of"]


@attrs.frozen
class Resolver:
    """One pass over one record."""

    names: Names
    declaration: RecordDeclaration
    record: RecordModel

    @property
    def inherited(self) -> Mapping[str, Attribute]:
        """What the record has of the one that it inherits from, which is resolved before it."""
        if self.declaration.part is None:
            return {}
        assert self.record.part_of is not None
        return self.record.part_of.attributes

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


def part_of(record: RecordModel) -> RecordModel | None:
    """What a collection is of, if that is not all that lies in the table."""
    return None if record.part_of is None else record
