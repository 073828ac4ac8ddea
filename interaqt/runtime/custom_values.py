"""The values of a Custom: asked of its function, as the database gives them back, and compared."""

from __future__ import annotations

from typing import Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.errors import InvalidValue
from interaqt.core.model import Property
from interaqt.runtime.custom_inputs import Given
from interaqt.storage.convert import as_stored, comparable

__all__ = ["CustomValues"]


class CustomValues:
    """The values that a rule keeps: as the database gives them back, and whether two are the same."""

    def __init__(self, rule: CustomRule | OwnCustomRule) -> None:
        self.rule = rule
        self._as_stored = [as_stored(each.type.optional(False)) for each in rule.kept]
        self._comparable = {each: comparable(each.type.optional()) for each in rule.kept}

    def computed(self, given: Given) -> tuple[Any, ...]:
        """What is kept where the function is given that."""
        return self.stored(self.rule.computed(given.own, given.rows))

    def stored(self, kept: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return tuple(
                value if value is None else convert(value) for convert, value in zip(self._as_stored, kept, strict=True)
            )
        except InvalidValue as error:
            raise self.rule.functions.refusal(f"it answers {error.message}", "custom.value", error.hint) from error

    def same(self, kept: Property, one: Any, other: Any) -> bool:
        form = self._comparable[kept]
        return bool(form(one) == form(other))
