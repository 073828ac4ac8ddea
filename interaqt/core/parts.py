"""Parts: records without a table of their own, which are some of the rows of another's.

A callback over a part is traced in its terms; what is planned, asked and written is about tables.
:func:`in_tables` leads from the one to the other, and :func:`belongs` says of a row whether it is in.
"""

from __future__ import annotations

from interaqt.core.expressions import LINK, TRUE, Attr, Expr, Root, all_of, replace, rooted
from interaqt.core.model import Collection, RecordModel

__all__ = ["MEMBER", "belongs", "in_tables", "where_of"]

#: The root of a part's condition: a row of the table that it is in.
MEMBER = "member"


def in_tables(expr: Expr) -> Expr:
    """The expression with the rows of tables in the place of the parts that it was traced over."""
    return replace(expr, _in_table)


def _in_table(node: Expr) -> Expr | None:
    match node:
        case Root(name=name, record=record) if record.part_of is not None:
            return Root(name, record.root)
        case Attr(of=of, name=name, type=type) if type.record is not None and type.record.is_view:
            # No reference is declared to lead to a view, so this is the end of a collection of it.
            inner = in_tables(of)
            assert inner.type.record is not None
            declared = inner.type.record.attributes[name]
            return Attr(inner, name, declared.type)  # type: ignore[attr-defined]
    return None


def belongs(record: RecordModel, row: Expr) -> Expr:
    """That ``row``, of the table in which ``record`` is, is one of its records."""
    if record.condition is None:
        return TRUE
    return rooted(record.condition, MEMBER, row)


def where_of(collection: Collection, through: Collection | None) -> Expr | None:
    """Which rows, ``Root(LINK)``, are in a collection, perhaps past another one; None for all of them."""
    element: Expr = Root(LINK, collection.link)
    if collection.far is not None:
        element = Attr(element, collection.far.name, collection.far.type)
    found = TRUE if collection.part is None else belongs(collection.part, element)
    if through is not None and through.where is not None:
        found = all_of(through.where, found)
    return None if found == TRUE else found
