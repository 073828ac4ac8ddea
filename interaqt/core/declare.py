"""``@entity`` and ``@relation``: a class body becomes an attrs class and a declaration.

Nothing is resolved here: annotations stay as written until a controller is made, so classes may
name each other in any order.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload
from uuid import UUID, uuid4

import attrs
from typing_extensions import dataclass_transform

from interaqt.core.class_body import (
    AttributeDeclaration,
    PartDeclaration,
    RecordDeclaration,
    Scope,
    attributes_of,
    found_in,
)
from interaqt.core.computations import (
    Any as AnyOf,
)
from interaqt.core.computations import (
    Average,
    Count,
    Custom,
    Deletion,
    Distinct,
    Every,
    First,
    Last,
    Maximum,
    Minimum,
    RealTime,
    ScopedSequence,
    SequenceSpec,
    StateMachine,
    Summation,
    Transform,
    WeightedSummation,
    change_count,
    changed_at,
    changed_by,
)
from interaqt.core.computations.aggregation import Aggregation
from interaqt.core.constraints import Constraint
from interaqt.core.declare_part import base_of, with_inherited
from interaqt.core.errors import InvalidComputation, InvalidEntity, Location
from interaqt.core.fields import (
    ComputedAttribute,
    ComputedSpec,
    FieldSpec,
    KeySpec,
    OneSpec,
    Spec,
    field,
    key,
    many,
    one,
)
from interaqt.core.global_values import GlobalAttribute
from interaqt.core.identity import IdentityConflict
from interaqt.core.record import LazyAttribute, PartMeta, Record
from interaqt.core.record_rules import declared_rules
from interaqt.core.retention import Retention

__all__ = ["decorate", "entity", "relation"]

R = TypeVar("R")

#: Refuses what a kind of record has no meaning for: of the class, its attributes and the rules in its body.
Check = Callable[[type, dict[str, AttributeDeclaration], Sequence[Spec], Location], None]

_UNNAMED_KEY = "id"


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
        Custom,
        RealTime,
        ScopedSequence,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
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
        Custom,
        RealTime,
        ScopedSequence,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
    ),
)
def entity(
    *,
    unique: Sequence[Sequence[str]] = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
    abstract: bool = ...,
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
    abstract: bool = False,
) -> Any:
    """Declare an entity: a kind of record, with typed attributes.

    ``unique`` lists groups of attributes whose values may occur together only once;
    ``constraints`` are ``iq.Unique``, ``iq.Check`` and ``iq.NonNull``.

    ``identity`` names the attributes that a record is known by: making it again answers the
    stored one. What becomes of its other values then says ``identity_conflict``: ``"keep"``
    those that are stored, ``"update"`` them, or ``"refuse"`` others.

    ``retention`` says how long records are kept, see :class:`~interaqt.Retention`.

    An entity may inherit from another one and is a kind of it then: ``class Article(Content):`` has
    what a ``Content`` has, and attributes of its own. Of an ``abstract`` entity only kinds are made.
    """
    rules = (constraints, identity, identity_conflict, retention)
    return decorate(cls, "entity", unique=unique, rules=rules, abstract=abstract)


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
        Custom,
        RealTime,
        ScopedSequence,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
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
        Custom,
        RealTime,
        ScopedSequence,
        StateMachine,
        changed_at,
        changed_by,
        change_count,
    ),
)
def relation(
    *,
    unique: Sequence[Sequence[str]] = ...,
    repeatable: bool = ...,
    symmetric: bool = ...,
    self_pairs: bool = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
    abstract: bool = ...,
) -> Callable[[type[R]], type[R]]: ...
def relation(
    cls: Any = None,
    /,
    *,
    unique: Sequence[Sequence[str]] = (),
    repeatable: bool = False,
    symmetric: bool = False,
    self_pairs: bool = False,
    constraints: Sequence[Constraint] = (),
    identity: Sequence[str] = (),
    identity_conflict: IdentityConflict = "keep",
    retention: Retention | None = None,
    abstract: bool = False,
) -> Any:
    """Declare an n:n relation: its first two references are its ends, the rest its own attributes.

    A pair is linked once, unless ``repeatable``; deleting an end deletes the link.

    In a ``symmetric`` one both ends are of one kind and mean the same, as in a friendship: a pair is
    linked once whichever end is named first, and no record is linked to itself, unless there are
    ``self_pairs``. ``iq.many(inverse=("a", "b"))`` finds its records from both ends.

    The rest is as of an entity; ``identity`` may name the ends. A relation that inherits from another
    one has its ends.
    """
    rules = (constraints, identity, identity_conflict, retention)
    options = {"repeatable": repeatable, "symmetric": symmetric, "self_pairs": self_pairs, "abstract": abstract}
    return decorate(cls, "relation", unique=unique, rules=rules, **options)


def decorate(cls: Any, kind: str, **options: Any) -> Any:
    """What the decorators of records do; ``cls`` is None where one was called with arguments."""
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
    rules: tuple[Any, ...],
    unique: Any = (),
    repeatable: bool = False,
    symmetric: bool = False,
    self_pairs: bool = False,
    abstract: bool = False,
    base: type[Record] = Record,
    check: Check | None = None,
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
    part = base_of(cls, kind, location)
    attributes = own = attributes_of(cls, location)
    transforms, deletions = found_in(cls, Transform), found_in(cls, Deletion)
    (check or _require_own_collections)(cls, attributes, (*transforms, *deletions), location)
    if part is None:
        _require_one_key(cls, attributes, location)
    else:
        options = {"repeatable": repeatable, "symmetric": symmetric, "self_pairs": self_pairs, "retention": rules[-1]}
        attributes, own = with_inherited(cls, part, own, options, location)
    _require_groups(cls, unique, location)
    declaration = RecordDeclaration(
        name=cls.__name__,
        kind=kind,
        location=location,
        scope=Scope(cls.__module__, names),
        attributes=attributes,
        transforms=transforms,
        deletions=deletions,
        key_name=next(name for name, each in attributes.items() if isinstance(each.spec, KeySpec)),
        unique=tuple(tuple(group) for group in unique),
        repeatable=repeatable,
        symmetric=symmetric,
        self_pairs=self_pairs,
        rules=declared_rules(cls.__name__, location, *rules),
        part=None if part is None else PartDeclaration(part, frozenset(part.__iq_record__.attributes)),
        abstract=abstract,
    )
    made = _rebuild(cls, own, base)
    made.__iq_root__ = made if part is None else part.__iq_root__  # type: ignore[attr-defined]
    for name, each in own.items():
        if kind == "dictionary":
            found = getattr(made, name) if isinstance(each.spec, ComputedSpec) else LazyAttribute(name)
            setattr(made, name, GlobalAttribute(name, found))
        elif not isinstance(each.spec, ComputedSpec):
            setattr(made, name, LazyAttribute(name, spec=each.spec))
        elif each.spec.stored:
            setattr(made, name, LazyAttribute(name, each.spec.function))
    made.__iq_record__ = declaration  # type: ignore[attr-defined]
    return made


def _require_own_collections(
    cls: type, attributes: dict[str, AttributeDeclaration], rules: Sequence[Spec], location: Location
) -> None:
    """A computation over a whole class has one value, which no record has for itself."""
    for each in attributes.values():
        spec = each.spec
        if isinstance(spec, Aggregation) and isinstance(spec.over, type):
            raise InvalidComputation(
                f"{spec.name_of} runs over a collection of its own class; global counts stand in an @iq.dictionary",
                code=f"{spec.name_of.lower()}.over",
                subject=f"{cls.__name__}.{each.name}: {spec}",
                location=spec.location,
                hint=f"declare a collection above, or move it: @iq.dictionary class Totals: "
                f"{each.name}: ... = iq.{spec.name_of}({spec.over.__name__})",
            )


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


def _rebuild(cls: type, attributes: dict[str, AttributeDeclaration], base: type[Record]) -> type:
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
        elif isinstance(spec, SequenceSpec) and spec.given:
            given[name] = attrs.field(default=None)
    namespace = {
        name: value
        for name, value in vars(cls).items()
        if name not in attributes or isinstance(value, ComputedAttribute)
        if name not in ("__dict__", "__weakref__")
    }
    bases = tuple(base for base in cls.__bases__ if base is not object)
    options: dict[str, Any] = {}
    if issubclass(cls, base):
        options["metaclass"] = PartMeta
    else:
        bases = (*bases, base)
    made = types.new_class(cls.__name__, bases, options, lambda body: body.update(namespace))
    _repoint_super(cls, made)
    setter, deleter = made.__setattr__, made.__delattr__
    built: Any = attrs.define(made, these=given, kw_only=True, frozen=True, eq=False, repr=False, slots=False)
    # attrs' own would say only that the instance is frozen.
    built.__setattr__, built.__delattr__ = setter, deleter
    return built  # type: ignore[no-any-return]


def _repoint_super(old: type, new: type) -> None:
    """``super()`` and ``__class__`` in methods mean the class that the user will see (as attrs does for slots)."""
    for value in vars(new).values():
        function = value.function if isinstance(value, ComputedAttribute) else getattr(value, "__func__", value)
        function = function.fget if isinstance(function, property) else function
        for cell in getattr(function, "__closure__", None) or ():
            try:
                if cell.cell_contents is old:
                    cell.cell_contents = new
            except ValueError:  # an empty cell
                continue
