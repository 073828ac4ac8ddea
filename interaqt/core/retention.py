"""Retention: how long records are kept."""

from __future__ import annotations

import datetime as dt

import attrs

from interaqt.core.errors import InvalidEntity, Location, did_you_mean
from interaqt.core.model import Index, Model, Property, RecordModel, Reference
from interaqt.core.types import Kind

__all__ = ["Retention", "RetentionModel", "resolve_retention"]


@attrs.frozen(kw_only=True)
class Retention:
    """How long records are kept: for ever, unless it says how many or how long.

    ``keep=1000`` keeps the newest thousand, ``per="room"`` those of each room; ``older_than=``
    a timedelta keeps none that is older. ``by`` names the attribute that tells the age: left out,
    it is the key for ``keep``, and the only time that the record has for ``older_than``.

    ``controller.sweep()`` deletes what is kept no longer, and derived values follow. With
    ``computations=False`` they do not: a count goes on counting what was there.
    """

    keep: int | None = None
    older_than: dt.timedelta | None = None
    by: str | None = None
    per: str | tuple[str, ...] = ()
    computations: bool = True
    location: Location = attrs.field(init=False, eq=False, repr=False, factory=lambda: Location.of_caller(2))

    def __attrs_post_init__(self) -> None:
        if self.keep is not None and self.older_than is not None:
            self._refuse("it says how many and how long; a record has one of them")
        if self.keep is not None and (type(self.keep) is not int or self.keep < 0):
            self._refuse(f"keep= takes a number of records, not {self.keep!r}")
        age: object = self.older_than
        if age is not None and not (isinstance(age, dt.timedelta) and age > dt.timedelta(0)):
            self._refuse(f"older_than= takes a timedelta longer than none, not {self.older_than!r}")
        if self.keep is None and self.per:
            self._refuse("per= is for keep=, which counts")
        if self.keep is None and self.older_than is None and self.by is not None:
            self._refuse("by= is for keep= or older_than=; without them records are kept for ever")

    def _refuse(self, message: str) -> None:
        raise InvalidEntity(
            message,
            code="retention.argument",
            subject="Retention",
            location=self.location,
            hint="write iq.Retention(keep=1000) or iq.Retention(older_than=timedelta(days=30))",
        )


@attrs.frozen(eq=False)
class RetentionModel:
    """A resolved retention that does not keep for ever."""

    record: RecordModel
    keep: int | None
    older_than: dt.timedelta | None
    by: Property
    per: tuple[Property | Reference, ...]
    computations: bool


def resolve_retention(model: Model, record: RecordModel, retention: Retention) -> RetentionModel | None:
    """What a retention of the record means; None for one that keeps for ever."""
    if retention.keep is None and retention.older_than is None:
        return None
    names = (retention.per,) if isinstance(retention.per, str) else tuple(retention.per)
    per = tuple(_stored(record, retention, name, "per") for name in names)
    by = _age(record, retention)
    ending = ("restrict",) if retention.computations else ("restrict", "cascade", "set_null")
    for each in model.referring_to(record):
        if each.on_delete in ending:
            raise _error(
                record,
                retention,
                f"{each} refers to {record}, "
                + (
                    "and keeps it from being deleted"
                    if each.on_delete == "restrict"
                    else "and would not hear of its deletion without computations"
                ),
                f"write {each.name}: {each.target} = iq.one(on_delete='cascade'), if they go together",
            )
    table = record.root
    if retention.older_than is not None and Index((by.name,), False) not in table.indexes and not by.index:
        table.indexes.append(Index((by.name,), False))
    return RetentionModel(table, retention.keep, retention.older_than, by, per, retention.computations)


def _age(record: RecordModel, retention: Retention) -> Property:
    times = [each for each in record.properties() if each.type.kind is Kind.DATETIME and not each.hidden]
    if retention.by is None:
        if retention.keep is not None and record.key.type.kind is Kind.INT:
            return record.key
        if retention.older_than is not None and len(times) == 1:
            return times[0]
        names = ", ".join(each.name for each in times) or "none"
        raise _error(
            record, retention, f"it does not say by what to tell the age; the times of {record} are: {names}",
            'write by="created_at", for instance',
        )  # fmt: skip
    found = _stored(record, retention, retention.by, "by")
    if retention.older_than is not None:
        if found not in times:
            raise _error(record, retention, f"by={found.name!r} is {found.type}, not a datetime")
    elif found.type.nullable or found.type.kind in (Kind.JSON, Kind.RECORD):
        raise _error(record, retention, f"by={found.name!r} is {found.type}, which has no order for every record")
    assert isinstance(found, Property)
    return found


def _stored(record: RecordModel, retention: Retention, name: str, argument: str) -> Property | Reference:
    found = record.attributes.get(name)
    if not isinstance(found, Property | Reference) or found.hidden:
        known = [each.name for each in record.stored() if not each.hidden]
        raise _error(record, retention, f"{argument}={name!r} is not stored. {did_you_mean(name, known)}")
    return found


def _error(record: RecordModel, retention: Retention, message: str, hint: str = "") -> InvalidEntity:
    return InvalidEntity(
        message, code="retention", subject=f"{record}: Retention", location=retention.location, hint=hint
    )
