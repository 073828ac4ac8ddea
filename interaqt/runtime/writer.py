"""Writing by hand, outside interactions: seeding, migrating, tests. Derived values follow all the same."""

from __future__ import annotations

from typing import Any

from interaqt.core.errors import InvalidValue, did_you_mean
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import Record, key_of
from interaqt.core.values import check_of
from interaqt.runtime.making import Maker
from interaqt.runtime.run import Run, missing
from interaqt.runtime.transaction import Transactions

__all__ = ["DirectWriter"]


class DirectWriter:
    """What ``storage.create``, ``update`` and ``delete`` do: each is a transaction of its own."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._storage = transactions.storage

    def create(self, record: Any) -> Any:
        model = self._storage.record_of(type(record))
        if key_of(record) is not None and "__iq_origin__" in record.__dict__:
            raise InvalidValue(f"{record!r} is stored already", code="record.stored", subject=model.name)
        key = self._transactions.run(lambda run: Maker(run).make(model, [record])[0].key, f"create {model}")
        return self._storage.loader.current(model, key)

    def update(self, record: Any, values: dict[str, Any]) -> Any:
        model, key = self._stored(record)
        changes = {name: _checked(model, name, value) for name, value in values.items()}
        if changes:
            self._transactions.run(lambda run: _change(run, model.root, key, changes), f"update {model}")
        return self._storage.loader.current(model, key)

    def delete(self, record: Any) -> None:
        model, key = self._stored(record)
        if model.is_dictionary:
            raise InvalidValue(
                f"{model} is a dictionary: there is one, and it stays",
                code="dictionary.deleting",
                subject=model.name,
                location=model.location,
            )

        def work(run: Run) -> None:
            if not run.delete(model.root, [key]):
                raise self._storage.loader.not_found(model, key)

        self._transactions.run(work, f"delete {model}")

    def _stored(self, record: Any) -> tuple[RecordModel, Any]:
        model = self._storage.record_of(type(record))
        key = key_of(record)
        if key is None:
            raise InvalidValue(f"{record!r} is not stored", code="record.not_stored", subject=model.name)
        return model, key


def _change(run: Run, record: RecordModel, key: Any, changes: dict[str, Any]) -> None:
    own = [each for each in record.stamps if each.kind == "own" and each.attribute.name in changes]
    following = [(rule, name) for rule in record.derivations for name in sorted(rule.follows & changes.keys())]
    if not own and not following:
        run.update(record, key, changes)
        return
    read = {*changes, *(each.property.name for each in own), *(rule.link.name for rule, _ in following)}
    old = run.read(record, key, frozenset(read))
    if old is None:
        raise missing(record, key)
    for rule, name in following:
        if old[rule.link.name] is not None and old[name] != changes[name]:
            raise InvalidValue(
                f"{record.attributes[name]} of {key!r} is what {rule} makes of {rule.source} {old[rule.link.name]!r}; "
                "it would be so again with the next change of that",
                code="record.follows",
                subject=f"{record}.{name}",
                location=rule.location,
                hint=f"change what it follows from, or declare that it may be changed: {name}: ... = "
                "iq.field(changes=iq.on(...))",
            )
    # What somebody has changed follows no longer, whichever way it was done.
    told = [each for each in own if each.tells(old[each.attribute.name], changes[each.attribute.name])]
    run.change(record, old, {**changes, **{each.property.name: True for each in told}})


def _checked(model: RecordModel, name: str, value: Any) -> Any:
    attribute = model.attributes.get(name)
    if not isinstance(attribute, Property | Reference) or attribute.hidden:
        known = [each.name for each in model.stored() if not each.hidden]
        raise InvalidValue(
            f"{model} has no attribute {name!r} that could be set. {did_you_mean(name, known)}",
            code="record.unknown_attribute",
            subject=f"{model}.{name}",
        )
    is_key = isinstance(attribute, Property) and attribute.key
    if is_key or attribute.computation is not None:
        raise InvalidValue(
            f"{attribute} is {'the key' if is_key else f'kept by {attribute.computation}'}; it can't be set",
            code="record.derived",
            subject=str(attribute),
            location=attribute.location,
        )
    numbered = next((each for each in model.root.sequences if name in (by.name for by in each.scope)), None)
    if numbered is not None:
        raise InvalidValue(
            f"{attribute} is what {numbered} is counted by, and the number of a record stays what it is",
            code="sequence.scope",
            subject=str(attribute),
            location=numbered.location,
            hint="delete the record and make another one",
        )
    wrong = check_of(attribute.type)(value)
    if wrong is not None:
        raise InvalidValue(
            f"{attribute} {wrong}", code="value.type", subject=str(attribute), location=attribute.location
        )
    return key_of(value) if isinstance(value, Record) else value
