"""Resolving: the declared classes of one controller become a :class:`~interaqt.core.model.Model`.

Every name is looked up here, so classes may be declared in any order, in any module, with or
without ``from __future__ import annotations``.
"""

from __future__ import annotations

from collections.abc import Iterable

from interaqt.core.constants import add_constants
from interaqt.core.family import gather
from interaqt.core.model import Model
from interaqt.core.names import Names
from interaqt.core.resolve_columns import Columns
from interaqt.core.resolve_computations import Computations
from interaqt.core.resolve_connections import Connections
from interaqt.core.resolve_interaction import resolve_interaction
from interaqt.core.resolve_view import resolve_collections, resolve_view

__all__ = ["resolve"]


def resolve(classes: Iterable[type], user: type | None = None) -> Model:
    """The model of the classes.

    ``user`` is the record class of ``dispatch(..., user=)``; left out, it is the one named
    ``User``, if there is one. Raises a :class:`~interaqt.DeclarationError` for what is wrong.
    """
    names = Names(list(classes))
    for declaration, record in names.records():
        Columns(names, declaration, record).resolve()
    for declaration, record in names.records():
        Connections(names, declaration, record).resolve()
    for table in names.roots():
        if table.family is not None:
            gather(table, table.family)
    add_constants(dict.fromkeys(each for some in (names.models(), names.roots()) for each in some if not each.is_view))
    for declaration, view in names.views():
        resolve_view(declaration, view)
    for declaration, record in names.records():
        resolve_collections(declaration, record)
    interactions = {each.cls: resolve_interaction(names, each) for each in names.interactions}
    if user is None:
        actor = next((record for _, record in names.records() if record.name == "User"), None)
    else:
        actor = names.record_of(user, "user=", None)
    model = Model({record.cls: record for record in names.models()}, interactions, actor)
    for declaration, record in names.records():
        Computations(names, declaration, record).resolve(model)
    return model
