"""Cohorts: records that came together load together, so a loop over them never asks once per record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any
from weakref import ref

from interaqt.core.many import Many
from interaqt.core.model import Attribute, Collection, Mirror, Property, RecordModel, Reference
from interaqt.core.record import Record
from interaqt.storage.global_records import GlobalRecords
from interaqt.storage.records import ORIGIN, key_name

if TYPE_CHECKING:
    from interaqt.storage.holding import Holding
    from interaqt.storage.loading import Loader, Lock

__all__ = ["Cohort"]


class Cohort:
    """The origin of the records of one query.

    What is asked of one member is loaded for all of them that lack it. Members know their
    cohort; it knows them weakly, so that one that is kept does not keep the others. By ``lock``
    their rows are locked when they are loaded, in the order of their keys. ``holding`` says how,
    for them and for all that they lead to. It is inside of a transaction: there a foreign key says
    that what they refer to is there, so its key alone costs no query.
    """

    __slots__ = ("_globals", "_holding", "_loader", "_lock", "_members", "_record")

    def __init__(
        self, loader: Loader, record: RecordModel, *, lock: Lock = None, holding: Holding | None = None
    ) -> None:
        self._loader = loader
        self._record = record
        self._lock = lock
        self._holding = holding
        self._members: list[ref[Record]] = []
        self._globals: GlobalRecords | None = None

    @property
    def lock(self) -> Lock:
        """How its records are locked when they are loaded."""
        return self._lock if self._holding is None else self._holding.lock_of(self._record)

    def admit(self, records: Iterable[Record]) -> None:
        self._members += map(ref, records)

    def ghost(self, cls: Any, name: str, key: Any) -> Record:
        """An instance of a class of which only the key, called ``name``, is known."""
        made: Record = cls.__new__(cls)
        values = made.__dict__
        values[ORIGIN] = self
        values[name] = key
        self._members.append(ref(made))
        return made

    def renew(self, record: Record) -> None:
        """Make a record forget all but its key: what is asked of it is loaded by this cohort."""
        name = self._record.key.name
        values = record.__dict__
        key = values[name]
        values.clear()
        values.update({ORIGIN: self, name: key})
        self.admit([record])

    def load(self, record: Record, name: str) -> Any:
        """Load an attribute for all members that lack it; answers that of ``record``."""
        attribute = self._model_of(record).attributes[name]
        match attribute:
            case Reference():
                if key_name(attribute) not in record.__dict__:
                    self._rows(record)
                if name not in record.__dict__:
                    self._reference(record, attribute)
            case Mirror():
                self._mirror(record, attribute)
            case Collection():
                self._collection(record, attribute)
            case _:
                self._rows(record)
        return record.__dict__[name]

    def global_value(self, dictionary: type, name: str) -> Any:
        """A global value for a property of a member; each dictionary is read once for all of them."""
        if self._globals is None:
            self._globals = GlobalRecords(self._loader)
        return self._globals(dictionary, name)

    def _model_of(self, record: Record) -> RecordModel:
        """What a member is: of several kinds, its own."""
        if self._record.root.family is None:
            return self._record
        return self._loader.classes.model(type(record)) or self._record

    def _living(self, record: Record) -> list[Record]:
        """Those members that somebody has; ``record`` is one, though it may have been copied."""
        found = [each for member in self._members if (each := member()) is not None]
        return found if any(each is record for each in found) else [*found, record]

    def _lacking(self, record: Record, attribute: Attribute) -> list[Record]:
        """Living members without the attribute, if they are of a kind that has it."""
        found = [each for each in self._living(record) if attribute.name not in each.__dict__]
        if self._record.root.family is not None:
            found = [each for each in found if self._model_of(each).attributes.get(attribute.name) is attribute]
        return found

    def _keyed(self, records: Iterable[Record]) -> dict[Any, list[Record]]:
        name = self._record.key.name
        keyed: dict[Any, list[Record]] = {}
        for each in records:
            keyed.setdefault(each.__dict__[name], []).append(each)
        return keyed

    def _rows(self, record: Record) -> None:
        """The row itself, of members of which only the key, or a part, is known."""
        keyed = self._keyed(each for each in self._living(record) if not self._is_whole(each))
        key = record.__dict__[self._record.key.name]
        if key not in self._fill(keyed, self.lock):
            raise self._loader.not_found(self._record, key)

    def _fill(self, keyed: Mapping[Any, Sequence[Record]], lock: Lock) -> Set[Any]:
        """Load rows into members, and lock them; answers the keys of those that there are."""
        found = {} if self._holding is None else self._holding.taken(self._record, keyed)
        missing = keyed.keys() - found.keys() if found else keyed
        # What was in a view when it was found may have left it since, and still is a record.
        rows = self._loader.rows_by(self._record.key, missing, self._record, lock, anyway=True)
        if self._holding is not None:
            self._holding.locked(self._record, missing, lock)
        for each in self._loader.shape(self._record).make(rows, self):
            found[each.__dict__[self._record.key.name]] = each.__dict__
        for key, values in found.items():
            for member in keyed[key]:
                # What is known already stays: it may be newer than the row that this reader sees.
                member.__dict__.update({name: value for name, value in values.items() if name not in member.__dict__})
        return found.keys()

    def _is_whole(self, record: Record) -> bool:
        names = (key_name(each) if isinstance(each, Reference) else each.name for each in self._stored(record))
        return all(name in record.__dict__ for name in names)

    def _stored(self, record: Record) -> Iterable[Property | Reference]:
        return (each for each in self._model_of(record).stored() if not each.hidden)

    def _reference(self, record: Record, reference: Reference) -> None:
        where, name = key_name(reference), reference.name
        lacking = [each for each in self._lacking(record, reference) if each.__dict__.get(where) is not None]
        keys = {each.__dict__[where] for each in lacking}
        target = reference.target
        if self._holding is None:
            made = self._loader.by(target.key, keys, target)
        else:
            made = self._loader.ghosts(target, keys, self._beyond(target))
        found = {each.__dict__[target.key.name]: each for each in made}
        for each in lacking:
            other = found.get(each.__dict__[where])
            if other is not None:
                each.__dict__[name] = other
        if name not in record.__dict__:
            raise self._loader.not_found(reference.target, record.__dict__[where])

    def _mirror(self, record: Record, mirror: Mirror) -> None:
        keyed = self._keyed(self._lacking(record, mirror))
        where = key_name(mirror.via)
        self._close(mirror, keyed)
        beyond = self._beyond(mirror.target)
        found = {each.__dict__[where]: each for each in self._loader.by(mirror.via, keyed, mirror.target, beyond)}
        for key, members in keyed.items():
            other = found.get(key)
            for each in members:
                each.__dict__[mirror.name] = other
            if other is not None:
                other.__dict__[mirror.via.name] = members[0]

    def _collection(self, record: Record, collection: Collection) -> None:
        keyed = self._keyed(self._lacking(record, collection))
        grouped: dict[Any, list[Record]] = {key: [] for key in keyed}
        self._close(collection, keyed)
        beyond = self._beyond(collection.target)
        if collection.far is not None:
            self._hold_links(collection, keyed)
            for key, each in self._loader.beyond(collection, keyed, beyond):
                grouped[key].append(each)
        else:
            where = key_name(collection.via)
            for each in self._loader.by(collection.via, keyed, collection.target, beyond):
                owner = each.__dict__[where]
                # One fact, seen from its other side: who has it is known.
                each.__dict__[collection.via.name] = keyed[owner][0]
                grouped[owner].append(each)
        for key, members in keyed.items():
            many = Many(grouped[key])
            for each in members:
                each.__dict__[collection.name] = many

    # -- what is held

    def _beyond(self, record: RecordModel) -> Cohort:
        """The cohort of what members lead to."""
        return Cohort(self._loader, record, holding=self._holding)

    def _close(self, side: Collection | Mirror, keyed: Mapping[Any, Sequence[Record]]) -> None:
        """Have nobody add to what is about to be read."""
        if self._holding is not None:
            keys = self._holding.to_close(self._record, side, keyed)
            if keys:
                self._fill({key: keyed[key] for key in keys}, "alone")

    def _hold_links(self, collection: Collection, keyed: Mapping[Any, Sequence[Record]]) -> None:
        """Lock the links past which something is about to be read."""
        lock = None if self._holding is None else self._holding.lock_of(collection.link)
        if lock is not None:
            self._loader.rows_by(collection.via, keyed, collection.link, lock)
