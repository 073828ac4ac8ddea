import sys; sys.path.insert(0,'/tmp/mine'); import ed
ed.apply('interaqt/core/declare.py', [
('''from interaqt.core.errors import InvalidAttribute, InvalidEntity, InvalidInteraction, Location
''','''from interaqt.core.constraints import Constraint
from interaqt.core.errors import InvalidAttribute, InvalidEntity, InvalidInteraction, Location
'''),
('''from interaqt.core.idempotency import Idempotency
''','''from interaqt.core.idempotency import Idempotency
from interaqt.core.identity import IdentityConflict
'''),
('''from interaqt.core.record import LazyAttribute, Record
''','''from interaqt.core.record import LazyAttribute, Record
from interaqt.core.record_rules import RecordRules, declared_rules
from interaqt.core.retention import Retention
'''),
('''    """A relation that may link one pair more than once."""

''','''    """A relation that may link one pair more than once."""
    rules: RecordRules = attrs.field(factory=RecordRules)

'''),
('''def entity(*, unique: Sequence[Sequence[str]] = ...) -> Callable[[type[R]], type[R]]: ...
def entity(cls: Any = None, /, *, unique: Sequence[Sequence[str]] = ()) -> Any:
    """Declare an entity: a kind of record, with typed attributes.

    ``unique`` lists groups of attributes whose values may occur together only once.
    """
    return _decorate(cls, "entity", unique=unique)
''','''def entity(
    *,
    unique: Sequence[Sequence[str]] = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
) -> Callable[[type[R]], type[R]]: ...
def entity(cls: Any = None, /, *, unique: Sequence[Sequence[str]] = (), **rules: Any) -> Any:
    """Declare an entity: a kind of record, with typed attributes.

    ``unique`` lists groups of attributes whose values may occur together only once;
    ``constraints`` are ``iq.Unique``, ``iq.Check`` and ``iq.NonNull``.

    ``identity`` names the attributes that a record is known by: making it again answers the
    stored one. What becomes of its other values then says ``identity_conflict``: ``"keep"``
    those that are stored, ``"update"`` them, or ``"refuse"`` others.

    ``retention`` says how long records are kept, see :class:`~interaqt.Retention`.
    """
    return _decorate(cls, "entity", unique=unique, **rules)
'''),
('''def relation(*, unique: Sequence[Sequence[str]] = ..., repeatable: bool = ...) -> Callable[[type[R]], type[R]]: ...
def relation(cls: Any = None, /, *, unique: Sequence[Sequence[str]] = (), repeatable: bool = False) -> Any:
''','''def relation(
    *,
    unique: Sequence[Sequence[str]] = ...,
    repeatable: bool = ...,
    constraints: Sequence[Constraint] = ...,
    identity: Sequence[str] = ...,
    identity_conflict: IdentityConflict = ...,
    retention: Retention | None = ...,
) -> Callable[[type[R]], type[R]]: ...
def relation(
    cls: Any = None, /, *, unique: Sequence[Sequence[str]] = (), repeatable: bool = False, **rules: Any
) -> Any:
'''),
('''    A pair is linked once, unless ``repeatable``; deleting an end deletes the link.
    """
    return _decorate(cls, "relation", unique=unique, repeatable=repeatable)
''','''    A pair is linked once, unless ``repeatable``; deleting an end deletes the link. The rest is as
    of an entity; ``identity`` may name the ends.
    """
    return _decorate(cls, "relation", unique=unique, repeatable=repeatable, **rules)
'''),
('''    cls: Any, kind: str, location: Location, names: Mapping[str, Any], unique: Any, repeatable: bool = False
) -> type:
''','''    cls: Any,
    kind: str,
    location: Location,
    names: Mapping[str, Any],
    unique: Any,
    repeatable: bool = False,
    **rules: Any,
) -> type:
'''),
('''        repeatable=repeatable,
    )
    made = _rebuild''','''        repeatable=repeatable,
        rules=declared_rules(cls.__name__, location, **rules),
    )
    made = _rebuild'''),
])
ed.apply('interaqt/core/model.py', [
('''    endings: list[Ending] = attrs.field(factory=list, repr=False)
    """What interactions end of it."""
''','''    endings: list[Ending] = attrs.field(factory=list, repr=False)
    """What interactions end of it."""
    constraints: list[ConstraintModel] = attrs.field(factory=list, repr=False)
    """What its ``constraints=`` say."""
    identity: Identity | None = attrs.field(default=None, repr=False)
    retention: RetentionModel | None = attrs.field(default=None, repr=False)
'''),
('''    from interaqt.core.interaction import InteractionModel

__all__''','''    from interaqt.core.constraints import ConstraintModel
    from interaqt.core.identity import Identity
    from interaqt.core.interaction import InteractionModel
    from interaqt.core.retention import RetentionModel

__all__'''),
])
ed.apply('interaqt/core/resolve.py', [
('''            self.record.endings.append(resolve_ending(model, self.record, deletion))
''','''            self.record.endings.append(resolve_ending(model, self.record, deletion))
        resolve_rules(model, self.record, self.declaration.rules)
'''),
('''from interaqt.core.record import Record
''','''from interaqt.core.record import Record
from interaqt.core.record_rules import resolve_rules
'''),
])
