"""``@interaction``: a class body becomes a request that users may make."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

import attrs
from typing_extensions import dataclass_transform

from interaqt.core.class_body import AttributeDeclaration, Scope, attributes_of, found_in
from interaqt.core.computations import (
    Deletion,
    Transform,
)
from interaqt.core.errors import InvalidInteraction, Location
from interaqt.core.fields import (
    FieldSpec,
    field,
)
from interaqt.core.idempotency import Idempotency
from interaqt.core.interaction import Guard, Hooks, InteractionDeclaration
from interaqt.core.locks import AskLocks, locks_of

R = TypeVar("R")

__all__ = ["interaction"]


@overload
@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def interaction(cls: type[R], /) -> type[R]: ...


@overload
@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def interaction(
    *,
    guard: Guard | None = ...,
    map_event_data: Callable[..., Mapping[str, Any]] | None = ...,
    resolve: Callable[..., Any] | None = ...,
    after_dispatch: Callable[..., Any] | None = ...,
    post_commit: Callable[..., Any] | None = ...,
    idempotency: Idempotency | None = ...,
    locks: AskLocks | None = ...,
) -> Callable[[type[R]], type[R]]: ...


def interaction(
    cls: Any = None,
    /,
    *,
    guard: Guard | None = None,
    map_event_data: Callable[..., Mapping[str, Any]] | None = None,
    resolve: Callable[..., Any] | None = None,
    after_dispatch: Callable[..., Any] | None = None,
    post_commit: Callable[..., Any] | None = None,
    idempotency: Idempotency | None = None,
    locks: AskLocks | None = None,
) -> Any:
    """Declare an interaction: something that a user may ask for. Its attributes are the payload.

    ``guard`` is a condition that must hold; ``idempotency`` says what a dispatch with an
    ``idempotency_key`` promises, where the controller's own promise is not right.

    ``locks(event)`` answers records that are locked before any condition runs, and until the commit:
    one or several, an :func:`iq.matching(...) <interaqt.matching>`, or the class of a dictionary. All
    locks that an interaction and its conditions ask for are taken in one order, by record and key, so
    none of two dispatches waits for the other in a circle.

    The hooks are
    called in this order, all with the event first, and all but the last inside the transaction:

    - ``map_event_data(event)`` answers a JSON mapping that is stored with the event as ``context``;
    - ``resolve(event, storage)`` answers the result's ``data``;
    - ``after_dispatch(event, result)`` runs when facts and derived values are written;
    - ``post_commit(event, result)`` runs after the commit; its failure is reported, not raised.
    """
    frame = sys._getframe(1)
    location = Location(frame.f_code.co_filename, frame.f_lineno)
    names = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    hooks = Hooks(map_event_data, resolve, after_dispatch, post_commit)

    def decorate(cls: Any) -> type:
        return _interaction_class(cls, location, names, guard, hooks, idempotency, locks)

    return decorate if cls is None else decorate(cls)


def _interaction_class(
    cls: Any,
    location: Location,
    names: Mapping[str, Any],
    guard: Guard | None,
    hooks: Hooks,
    idempotency: Idempotency | None,
    locks: AskLocks | None,
) -> type:
    if not isinstance(cls, type):
        name = getattr(cls, "__name__", repr(cls))
        raise InvalidInteraction(f"@iq.interaction decorates a class, not {name}", location=location)
    if guard is not None and not callable(getattr(guard, "check", None)):
        name = getattr(guard, "__name__", repr(guard))
        raise InvalidInteraction(
            f"guard= takes a condition, not {name}",
            code="interaction.guard",
            subject=cls.__name__,
            location=location,
            hint=f"decorate {name} with @iq.condition",
        )
    for name, hook in attrs.asdict(hooks, recurse=False).items():
        if hook is not None and not callable(hook):
            raise InvalidInteraction(
                f"{name}= takes a function over the event, not {hook!r}",
                code="interaction.hook",
                subject=cls.__name__,
                location=location,
            )
    if idempotency is not None and not isinstance(idempotency, Idempotency):
        raise InvalidInteraction(
            f"idempotency= takes iq.Idempotency(...), not {idempotency!r}",
            code="interaction.idempotency",
            subject=cls.__name__,
            location=location,
            hint="write idempotency=iq.Idempotency(expires=timedelta(days=1))",
        )
    asked = locks_of(cls.__name__, locks, location)
    attributes = attributes_of(cls, location)
    for rule in (*found_in(cls, Transform), *found_in(cls, Deletion)):
        raise InvalidInteraction(
            f"{rule} stands in an interaction, which has no records to make or end",
            code="interaction.rule",
            subject=f"{cls.__name__}.{rule.name}",
            location=rule.location,
            hint="write it in the entity whose records it makes or ends",
        )
    for name, each in attributes.items():
        if not isinstance(each.spec, FieldSpec) or each.spec.changes:
            raise InvalidInteraction(
                f"{name} is a payload item, which is a plain typed attribute or an iq.field(default=, "
                f"validator=, converter=), not {each.spec}",
                code="interaction.payload_item",
                subject=f"{cls.__name__}.{name}",
                location=each.location,
            )
    made = _plain_attrs(cls, attributes)
    made.__iq_interaction__ = InteractionDeclaration(  # type: ignore[attr-defined]
        cls.__name__, made, location, Scope(cls.__module__, names), attributes, guard, hooks, idempotency, asked
    )
    return made


def _plain_attrs(cls: Any, attributes: dict[str, AttributeDeclaration]) -> type:
    given: dict[str, Any] = {}
    for name, each in attributes.items():
        spec = each.spec
        assert isinstance(spec, FieldSpec)
        default = spec.default if spec.factory is None else attrs.Factory(spec.factory)
        if default is attrs.NOTHING and _may_be_none(each.annotation):
            # An optional item that is absent and one that is None are the same.
            default = None
        given[name] = attrs.field(default=default, validator=spec.validator, converter=spec.converter)
        if name in vars(cls):
            delattr(cls, name)
    made: Any = attrs.define(cls, these=given, kw_only=True, frozen=True, slots=False)
    return made  # type: ignore[no-any-return]


def _may_be_none(annotation: Any) -> bool:
    text = annotation if isinstance(annotation, str) else repr(annotation)
    return bool(re.search(r"\bNone(Type)?\b|\bOptional\b", text))
