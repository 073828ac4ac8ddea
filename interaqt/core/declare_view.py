"""``@view``: some of the records of a class, under a name of their own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from interaqt.core.class_body import RecordDeclaration, Scope, ViewDeclaration
from interaqt.core.errors import InvalidEntity, Location
from interaqt.core.fields import ComputedAttribute, Spec
from interaqt.core.record import PartMeta
from interaqt.core.record_rules import RecordRules

__all__ = ["view"]

B = TypeVar("B")
V = TypeVar("V")


def view(of: type[B], /, *, where: Callable[[B], bool]) -> Callable[[type[V]], type[V]]:
    """Declare a view: the records of ``of`` for which ``where`` holds, under a name of their own.

    The class inherits from ``of``, which may itself be a view, and has no attributes of its own::

        @iq.view(Post, where=lambda post: post.status == "live" and post.author.active)
        class LivePost(Post):
            \"\"\"Posts that everyone can see.\"\"\"

    It may be named wherever its records are read: in queries, collections, payloads, transforms and
    side effects. A record is in the view as long as ``where`` holds, whatever changes that.
    """
    frame = sys._getframe(1)
    location = Location(frame.f_code.co_filename, frame.f_lineno)
    names = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    written: object = of
    declared = vars(written).get("__iq_record__") if isinstance(written, type) else None
    if declared is None or declared.kind == "dictionary":
        shown = getattr(written, "__name__", repr(written))
        raise InvalidEntity(
            f"@iq.view takes the class of an entity, a relation or another view, not {shown}",
            code="view.of",
            location=location,
            hint="write @iq.view(Post, where=lambda post: post.published) above class LivePost(Post):",
        )
    if not callable(where):
        raise InvalidEntity(
            f"where= takes a condition, such as lambda each: each.active, not {where!r}",
            code="view.where",
            location=location,
        )

    def decorate(cls: Any) -> Any:
        return _view_class(cls, of, where, location, names)

    return decorate


def _view_class(cls: Any, of: type, where: Callable[[Any], bool], location: Location, names: dict[str, Any]) -> type:
    if not isinstance(cls, type):
        name = getattr(cls, "__name__", repr(cls))
        raise InvalidEntity(f"@iq.view decorates a class, not {name}", code="view.class", location=location)
    near = next((base for base in cls.__mro__[1:] if "__iq_record__" in vars(base)), None)
    if near is not of:
        raise InvalidEntity(
            f"{cls.__name__} is a view of {of.__name__}, but inherits from "
            f"{'no entity' if near is None else near.__name__}",
            code="view.base",
            subject=cls.__name__,
            location=location,
            hint=f"write class {cls.__name__}({of.__name__}):",
        )
    _require_no_attributes(cls, of, location)
    cls.__class__ = PartMeta
    base: RecordDeclaration = of.__iq_record__  # type: ignore[attr-defined]
    cls.__iq_record__ = attrs.evolve(  # type: ignore[attr-defined]
        base,
        name=cls.__name__,
        kind="view",
        location=location,
        scope=Scope(cls.__module__, names),
        transforms=[],
        deletions=[],
        unique=(),
        rules=RecordRules(),
        view=ViewDeclaration(of, where),
    )
    return cls


def _require_no_attributes(cls: type, of: type, location: Location) -> None:
    """What a view has of its own is a docstring and plain methods: all else belongs to its records."""
    plain = [base for base in cls.__mro__ if base is not object and not issubclass(of, base)]
    for base in plain:
        own = [name for name, each in inspect.get_annotations(base).items() if "ClassVar" not in str(each)]
        own += [name for name, each in vars(base).items() if isinstance(each, Spec | ComputedAttribute)]
        if own:
            raise InvalidEntity(
                f"{own[0]} stands in a view, which has the attributes of {of.__name__} and no others",
                code="view.attribute",
                subject=f"{cls.__name__}.{own[0]}",
                location=location,
                hint=f"declare it in {of.__name__}; a view has a docstring, methods and properties",
            )
