"""Resolving views: which rows are in each, and in each collection of one."""

from __future__ import annotations

from interaqt.core.class_body import RecordDeclaration
from interaqt.core.expressions import BOOL, Root, all_of
from interaqt.core.fields import ManySpec
from interaqt.core.model import Collection, RecordModel
from interaqt.core.parts import MEMBER, belongs, where_of
from interaqt.core.tracing import trace_value

__all__ = ["resolve_collections", "resolve_view"]


def resolve_view(declaration: RecordDeclaration, record: RecordModel) -> None:
    """Find the condition of a view, once that of what it is a view of is known."""
    assert declaration.view is not None
    assert record.part_of is not None
    own = trace_value(
        declaration.view.where,
        [Root(MEMBER, record.part_of)],
        BOOL,
        subject=f"{record}: view",
        location=declaration.location,
    )
    record.condition = all_of(belongs(record.part_of, Root(MEMBER, record.root)), own)


def resolve_collections(declaration: RecordDeclaration, record: RecordModel) -> None:
    """Find which rows are in each collection of a record, once the conditions of all views are known."""
    past: list[tuple[Collection, str]] = []
    for collection in record.collections():
        spec = declaration.attributes[collection.name].spec
        assert isinstance(spec, ManySpec)
        if spec.through:
            past.append((collection, spec.through))
        else:
            collection.where = where_of(collection, None)
    for collection, name in past:
        through = record.attributes[name]
        assert isinstance(through, Collection)
        collection.where = where_of(collection, through)
