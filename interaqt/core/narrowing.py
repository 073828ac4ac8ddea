"""Narrowing: ``isinstance(content, Article)`` in a callback, which asks of which kind a record is.

Python answers it from the class of the instance; in a trace it is a condition on the row, after
which the record has the attributes of that kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interaqt.core.expressions import Expr
from interaqt.core.lift import expression_of
from interaqt.core.model import RecordModel
from interaqt.core.parts import belongs
from interaqt.core.trace_session import current, refuse

__all__ = ["having", "is_of_kind", "narrowed"]


def is_of_kind(cls: Any, instance: Any) -> bool | None:
    """Whether what stands for a record in a trace is of a kind; None of anything else."""
    expr = expression_of(instance)
    record = getattr(instance, "__dict__", {}).get("_iq_record") if expr is None else expr.type.record
    if not isinstance(record, RecordModel):
        return None
    if cls.__iq_record__.view is not None:
        refuse(
            f"isinstance() can't tell whether a record is in the view {cls.__name__}",
            f"ask what the view asks, or go over a collection of {cls.__name__} records",
        )
    kind = next((each for each in _members(record) if each.cls is cls), None)
    if kind is None:
        return False
    if expr is None:
        return getattr(instance, _name(record)) in {each.name for each in kind.kinds}
    if record.made_as.is_a(kind):
        return True
    return kind.is_a(record.made_as) and current().decide(belongs(kind, expr))


def narrowed(record: RecordModel, expr: Expr) -> RecordModel:
    """What a record is found to be on the path that a trace is on: the narrowest kind that it was asked for."""
    known = [each for each in _members(record) if each.is_a(record.made_as) and each.condition is not None]
    held = [each for each in known if current().known(belongs(each, expr))]
    return max(held, key=_depth, default=record)


def having(record: RecordModel, name: str) -> str:
    """What to ask first for an attribute that only some kinds of a record have; nothing where none has it."""
    kinds = [each.name for each in _members(record) if each.is_a(record.made_as) and name in each.attributes]
    if not kinds:
        return ""
    return f"{_a(kinds[0])} has: ask isinstance({record.name.lower()}, {kinds[0]}) first"


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def _depth(record: RecordModel) -> int:
    return 0 if record.part_of is None else _depth(record.part_of) + 1


def _members(record: RecordModel) -> Iterator[RecordModel]:
    family = record.root.family
    return iter(() if family is None else family.members.values())


def _name(record: RecordModel) -> str:
    family = record.root.family
    assert family is not None
    return family.kind.name
