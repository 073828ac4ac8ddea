"""Payloads at a glance: what most of them need, in code that is generated for the items of one interaction.

A payload of plain values and single references is checked, stored and followed to what it refers to by
one function each. What has lists or JSON in it, or is not as it should be, is looked at item by item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from interaqt.core.generated import generated
from interaqt.core.interaction import PayloadItem
from interaqt.core.record import made_as
from interaqt.core.types import Kind
from interaqt.runtime.nested import plain
from interaqt.storage.glance import glance_at

__all__ = ["PayloadGlance"]

#: What is a JSON value already.
_AS_IS = frozenset({str, int, float, bool, type(None)})


def _never(*_: object) -> bool:
    return False


@attrs.frozen
class PayloadGlance:
    """Functions of a payload's values by name."""

    is_right: Callable[[Mapping[str, Any]], bool]
    """Whether all of them are of their types; False also where only a closer look could tell."""
    stored: Callable[[Mapping[str, Any]], dict[str, Any]] | None
    """They as JSON values, references by their keys; None where one is a list or JSON."""
    is_proven: Callable[[Mapping[str, Any], Any], bool]
    """Whether all that they refer to is in a set of root and key; False also where only a closer look could tell."""

    @classmethod
    def at(cls, items: Sequence[PayloadItem]) -> PayloadGlance:
        if any(item.many or item.type.kind is Kind.JSON for item in items):
            return cls(_never, None, _never)
        tests = [_test(index, item) for index, item in enumerate(items)]
        names: dict[str, Any] = {"_AS_IS": _AS_IS, "_plain": plain}
        for index, item in enumerate(items):
            if item.record is not None:
                names |= {f"_class_{index}": made_as(item.record.cls), f"_root_{index}": item.record.root}
            elif (glance := glance_at(item.type)) is not None:
                names |= glance.names
        values = [f"    value_{index} = values[{item.name!r}]\n" for index, item in enumerate(items)]
        keys = [
            f"    if value_{index} is not None:\n"
            f"        value_{index} = value_{index}.__dict__[{item.record.key.name!r}]\n"
            for index, item in enumerate(items)
            if item.record is not None
        ]

        def function(name: str, parameters: str, lines: Sequence[str], answer: str) -> Callable[..., Any]:
            source = f"def {name}({parameters}):\n{''.join(lines)}    return {answer}\n"
            return generated(name, source, names, "payload")

        shown = [
            f"{item.name!r}: value_{index} if value_{index}.__class__ in _AS_IS else _plain(value_{index})"
            for index, item in enumerate(items)
        ]
        proven = [
            f"(value_{index} is None or (_root_{index}, value_{index}) in proven)"
            for index, item in enumerate(items)
            if item.record is not None
        ]
        return cls(
            function("is_right", "values", values, _all(tests)) if None not in tests else _never,
            function("stored", "values", [*values, *keys], f"{{{', '.join(shown)}}}"),
            function("is_proven", "values, proven", [*values, *keys], _all(proven)),
        )


def _all(tests: Sequence[str | None]) -> str:
    return " and ".join(f"({test})" for test in tests) or "True"


def _test(index: int, item: PayloadItem) -> str | None:
    value = f"value_{index}"
    if item.record is None:
        glance = glance_at(item.type)
        return None if glance is None else glance.test.format(value)
    key = f"{value}.__dict__.get({item.record.key.name!r})"
    test = f"{value}.__class__ is _class_{index} and {key} is not None"
    return f"{value} is None or {test}" if item.type.nullable else test
