"""``@entity``, ``@relation``, ``@interaction``: a class body becomes an attrs class and a declaration.

Nothing is resolved here: annotations stay as written until a controller is made, so classes may
name each other in any order.
"""

from __future__ import annotations

import inspect
import linecache
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload
from uuid import UUID, uuid4

import attrs
from typing_extensions import dataclass_transform

from interaqt.core.computations import (
    Any as AnyOf,
)
from interaqt.core.computations import (
    Average,
    Count,
    Deletion,
    Distinct,
    Every,
    First,
    Last,
    Maximum,
    Minimum,
    StateMachine,
    Summation,
    Transform,
    WeightedSummation,
)
from interaqt.core.constraints import Constraint
from interaqt.core.errors import InvalidAttribute, InvalidEntity, InvalidInteraction, Location
from interaqt.core.fields import (
    ComputedSpec,
    FieldSpec,
    KeySpec,
    OneSpec,
    Spec,
    computed,
    field,
    key,
    many,
    one,
)
from interaqt.core.idempotency import Idempotency
from interaqt.core.identity import IdentityConflict
from interaqt.core.interaction import Guard, Hooks, InteractionDeclaration
from interaqt.core.record import LazyAttribute, Record
from interaqt.core.record_rules import RecordRules, declared_rules
from interaqt.core.retention import Retention

__all__ = ["AttributeDeclaration", "RecordDeclaration", "Scope", "entity", "interaction", "relation"]

R = TypeVar("R")

_UNNAMED_KEY = "id"


@attrs.frozen(eq=False)
class Scope:
    """Where names in a class body's annotations are looked up."""

    module: str
    names: Mapping[str, Any]
    """What the enclosing function knew, for a class that is declared in one."""


@attrs.define(eq=False)
class AttributeDeclaration:
    """One attribute as written: its annotation (perhaps a string still) and what stands behind it."""

    name: str
    annotation: Any
    spec: Spec
    location: Location


@attrs.define(eq=False)
class RecordDeclaration:
    """An entity or relation class as written."""

    name: str
    kind: str
    location: Location
    scope: Scope
    attributes: dict[str, AttributeDeclaration]
    transforms: list[Transform[Any]]
    deletions: list[Deletion]
    key_name: str
    unique: tuple[tuple[str, ...], ...] = ()
    repeatable: bool = False
    """A relation that may link one pair more than once."""
    rules: RecordRules = attrs.field(factory=RecordRules)


@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        key,
        one,
        many,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        StateMachine,
    ),
)
def entity(cls: type[R], /) -> type[R]: ...
@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        key,
        one,
        many,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        StateMachine,
    ),
)
def entity(
    *,
    unique: Sequence[Sequence[str]] = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
) -> Callable[[type[R]], type[R]]: ...
def entity(
    cls: Any = None,
    /,
    *,
    unique: Sequence[Sequence[str]] = (),
    constraints: Sequence[Constraint] = (),
    identity: Sequence[str] = (),
    identity_conflict: IdentityConflict = "keep",
    retention: Retention | None = None,
) -> Any:
    """Declare an entity: a kind of record, with typed attributes.

    ``unique`` lists groups of attributes whose values may occur together only once;
    ``constraints`` are ``iq.Unique``, ``iq.Check`` and ``iq.NonNull``.

    ``identity`` names the attributes that a record is known by: making it again answers the
    stored one. What becomes of its other values then says ``identity_conflict``: ``"keep"``
    those that are stored, ``"update"`` them, or ``"refuse"`` others.

    ``retention`` says how long records are kept, see :class:`~interaqt.Retention`.
    """
    rules = (constraints, identity, identity_conflict, retention)
    return _decorate(cls, "entity", unique=unique, rules=rules)


@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        key,
        one,
        many,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        StateMachine,
    ),
)
def relation(cls: type[R], /) -> type[R]: ...
@overload
@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        field,
        key,
        one,
        many,
        Count,
        Summation,
        WeightedSummation,
        Average,
        Every,
        AnyOf,
        Maximum,
        Minimum,
        First,
        Last,
        Distinct,
        StateMachine,
    ),
)
def relation(
    *,
    unique: Sequence[Sequence[str]] = ...,
    repeatable: bool = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
) -> Callable[[type[R]], type[R]]: ...
def relation(
    cls: Any = None,
    /,
    *,
    unique: Sequence[Sequence[str]] = (),
    repeatable: bool = False,
    constraints: Sequence[Constraint] = (),
    identity: Sequence[str] = (),
    identity_conflict: IdentityConflict = "keep",
    retention: Retention | None = None,
) -> Any:
    """Declare an n:n relation: its first two references are its ends, the rest its own attributes.

    A pair is linked once, unless ``repeatable``; deleting an end deletes the link. The rest is as
    of an entity; ``identity`` may name the ends.
    """
    rules = (constraints, identity, identity_conflict, retention)
    return _decorate(cls, "relation", unique=unique, repeatable=repeatable, rules=rules)


def _decorate(cls: Any, kind: str, **options: Any) -> Any:
    frame = sys._getframe(2)
    location = Location(frame.f_code.co_filename, frame.f_lineno)
    names = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    if cls is not None:
        return _record_class(cls, kind, location, names, **options)
    return lambda cls: _record_class(cls, kind, location, names, **options)


def _record_class(
    cls: Any,
    kind: str,
    location: Location,
    names: Mapping[str, Any],
    unique: Any,
    rules: tuple[Any, ...],
    repeatable: bool = False,
) -> type:
    if not isinstance(cls, type):
        name = getattr(cls, "__name__", repr(cls))
        raise InvalidEntity(
            f"@iq.{kind} decorates a class, not {name}",
            location=location,
            hint=f"write @iq.{kind} above class {name}: with typed attributes",
        )
    if any(name in vars(cls) for name in ("__attrs_attrs__", "__dataclass_fields__")):
        raise InvalidEntity(
            f"{cls.__name__} is an attrs class or a dataclass already",
            code="entity.attrs",
            subject=cls.__name__,
            location=location,
            hint=f"leave the other decorator out: @iq.{kind} makes it an attrs class",
        )
    if any(issubclass(base, Record) for base in cls.__bases__):
        raise InvalidEntity(
            f"{cls.__name__} inherits from another entity, which has no meaning yet",
            code="entity.inheritance",
            subject=cls.__name__,
            location=location,
            hint="share attributes through a plain class that both inherit from",
        )
    attributes = _attributes(cls, location)
    _require_one_key(cls, attributes, location)
    _require_groups(cls, unique, location)
    declaration = RecordDeclaration(
        name=cls.__name__,
        kind=kind,
        location=location,
        scope=Scope(cls.__module__, names),
        attributes=attributes,
        transforms=_found(cls, Transform),
        deletions=_found(cls, Deletion),
        key_name=next(name for name, each in attributes.items() if isinstance(each.spec, KeySpec)),
        unique=tuple(tuple(group) for group in unique),
        repeatable=repeatable,
        rules=declared_rules(cls.__name__, location, *rules),
    )
    made = _rebuild(cls, attributes)
    made.__iq_record__ = declaration  # type: ignore[attr-defined]
    for name, each in attributes.items():
        if not isinstance(each.spec, ComputedSpec):
            setattr(made, name, LazyAttribute(name))
    return made


def _attributes(cls: type, location: Location) -> dict[str, AttributeDeclaration]:
    """Every attribute that the class or a plain class above it declares, in order."""
    found: dict[str, AttributeDeclaration] = {}
    for base in reversed(cls.__mro__[:-1]):
        annotations = inspect.get_annotations(base)
        for name, annotation in annotations.items():
            if not _is_class_variable(annotation):
                value = base.__dict__.get(name, attrs.NOTHING)
                found[name] = _attribute(cls, name, annotation, value, location)
        for name, value in vars(base).items():
            if isinstance(value, computed):
                spec = value.spec
                annotation = spec.function.__annotations__.get("return")
                if annotation is None:
                    raise InvalidAttribute(
                        f"a computed property says what it answers: def {name}(self) -> str, for instance",
                        code="computed.annotation",
                        subject=f"{cls.__name__}.{name}",
                        location=spec.location,
                    )
                found[name] = AttributeDeclaration(name, annotation, spec, spec.location)
            elif isinstance(value, Spec) and not isinstance(value, Transform | Deletion) and name not in annotations:
                raise InvalidAttribute(
                    f"{name} has no type; write it as an annotation: {name}: int = ...",
                    code="attribute.no_annotation",
                    subject=f"{cls.__name__}.{name}",
                    location=value.location,
                )
    return found


def _attribute(cls: type, name: str, annotation: Any, value: Any, location: Location) -> AttributeDeclaration:
    if isinstance(value, Spec) and not isinstance(value, Transform | Deletion):
        return AttributeDeclaration(name, annotation, value, value.location)
    place = _line_of(location, name)
    if isinstance(value, Transform | Deletion):
        raise InvalidAttribute(
            f"{type(value).__name__} makes or ends whole records, so it has no type of its own",
            code="attribute.annotated_rule",
            subject=f"{cls.__name__}.{name}",
            location=place,
            hint=f"write it without an annotation: {name} = iq.{type(value).__name__}(...)",
        )
    if isinstance(value, list | dict | set):
        raise InvalidAttribute(
            "a default that can change would be shared by all records",
            code="field.mutable_default",
            subject=f"{cls.__name__}.{name}",
            location=place,
            hint=f"write iq.field(factory={type(value).__name__})",
        )
    return AttributeDeclaration(name, annotation, FieldSpec(place, default=value), place)


def _is_class_variable(annotation: Any) -> bool:
    return "ClassVar" in (annotation if isinstance(annotation, str) else repr(annotation))


def _line_of(location: Location, name: str) -> Location:
    """Where ``name:`` is written, looked for from the class's own line on."""
    lines = linecache.getlines(location.file)
    pattern = re.compile(rf"\s+{re.escape(name)}\s*:")
    for number, line in enumerate(lines[location.line - 1 :], location.line):
        if pattern.match(line):
            return Location(location.file, number)
    return location


def _require_one_key(cls: type, attributes: dict[str, AttributeDeclaration], location: Location) -> None:
    """A record is found again by its key; one that declares none gets ``id``."""
    keys = [name for name, each in attributes.items() if isinstance(each.spec, KeySpec)]
    if len(keys) > 1:
        raise InvalidEntity(
            f"{cls.__name__} has {len(keys)} keys: {', '.join(keys)}; a record has one",
            code="entity.several_keys",
            subject=cls.__name__,
            location=attributes[keys[1]].location,
            hint="for values that are unique together write @iq.entity(unique=[(...)])",
        )
    if not keys:
        if _UNNAMED_KEY in attributes:
            raise InvalidEntity(
                f"{cls.__name__}.id is not declared as the key",
                code="entity.id_not_key",
                subject=f"{cls.__name__}.id",
                location=attributes[_UNNAMED_KEY].location,
                hint="write id: int = iq.key(), or give another attribute the key",
            )
        attributes[_UNNAMED_KEY] = AttributeDeclaration(_UNNAMED_KEY, int, KeySpec(location), location)


def _require_groups(cls: type, unique: Any, location: Location) -> None:
    """``unique=`` is a sequence of groups of names; a name alone would be taken for a group of letters."""
    groups = [unique] if isinstance(unique, str) else list(unique)
    wrong = [group for group in groups if isinstance(group, str)]
    if wrong:
        names = ", ".join(repr(name) for name in wrong)
        raise InvalidEntity(
            f"unique= takes groups of attributes, not {unique!r}",
            code="entity.unique",
            subject=cls.__name__,
            location=location,
            hint=f"write unique=[({names}{',' if len(wrong) == 1 else ''})] for values that are unique together, "
            "or iq.field(unique=True) for one that is by itself",
        )


_KEY_FACTORIES: dict[Any, Callable[[], Any]] = {UUID: uuid4, "UUID": uuid4, "uuid.UUID": uuid4}


def _rebuild(cls: type, attributes: dict[str, AttributeDeclaration]) -> type:
    """The class again, under the records' metaclass, with attrs' ``__init__`` for what a maker gives."""
    given: dict[str, Any] = {}
    for name, each in attributes.items():
        spec, annotation = each.spec, each.annotation
        if isinstance(spec, KeySpec) and annotation in _KEY_FACTORIES:
            given[name] = attrs.field(init=False, factory=_KEY_FACTORIES[annotation])
        elif isinstance(spec, OneSpec) and spec.inverse is None:
            given[name] = attrs.field(default=spec.default)
        elif isinstance(spec, FieldSpec):
            default = spec.default if spec.factory is None else attrs.Factory(spec.factory)
            given[name] = attrs.field(default=default, validator=spec.validator, converter=spec.converter)
    namespace = {
        name: value
        for name, value in vars(cls).items()
        if name not in attributes or isinstance(value, computed)
        if name not in ("__dict__", "__weakref__")
    }
    bases = tuple(base for base in cls.__bases__ if base is not object)
    made = types.new_class(cls.__name__, (*bases, Record), exec_body=lambda body: body.update(namespace))
    _repoint_super(cls, made)
    setter, deleter = made.__setattr__, made.__delattr__
    built: Any = attrs.define(made, these=given, kw_only=True, frozen=True, eq=False, repr=False, slots=False)
    # attrs' own would say only that the instance is frozen.
    built.__setattr__, built.__delattr__ = setter, deleter
    return built  # type: ignore[no-any-return]


def _repoint_super(old: type, new: type) -> None:
    """``super()`` and ``__class__`` in methods mean the class that the user will see (as attrs does for slots)."""
    for value in vars(new).values():
        function = value.function if isinstance(value, computed) else getattr(value, "__func__", value)
        function = function.fget if isinstance(function, property) else function
        for cell in getattr(function, "__closure__", None) or ():
            try:
                if cell.cell_contents is old:
                    cell.cell_contents = new
            except ValueError:  # an empty cell
                continue


def _found(cls: type, kind: type[R]) -> list[R]:
    found: dict[str, R] = {}
    for base in reversed(cls.__mro__[:-1]):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return list(found.values())


# -- interactions -------------------------------------------------------------------------


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
) -> Any:
    """Declare an interaction: something that a user may ask for. Its attributes are the payload.

    ``guard`` is a condition that must hold; ``idempotency`` says what a dispatch with an
    ``idempotency_key`` promises, where the controller's own promise is not right. The hooks are
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
        return _interaction_class(cls, location, names, guard, hooks, idempotency)

    return decorate if cls is None else decorate(cls)


def _interaction_class(
    cls: Any,
    location: Location,
    names: Mapping[str, Any],
    guard: Guard | None,
    hooks: Hooks,
    idempotency: Idempotency | None,
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
    attributes = _attributes(cls, location)
    for rule in (*_found(cls, Transform), *_found(cls, Deletion)):
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
        cls.__name__, made, location, Scope(cls.__module__, names), attributes, guard, hooks, idempotency
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
