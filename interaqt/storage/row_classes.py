"""Row classes: where records of several kinds lie in one table, each row is an instance of its own kind's class."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from interaqt.core.model import Model, RecordModel

__all__ = ["RowClasses", "declared_class"]

#: On a class that is made here: the class of the user's that its instances are.
_DECLARED = "__iq_declared__"


def declared_class(cls: Any) -> Any:
    """The class as the user knows it: what is found through a view of several kinds has a class of its own."""
    return vars(cls).get(_DECLARED, cls) if isinstance(cls, type) else cls


class RowClasses:
    """The classes that instances of one model's records have."""

    def __init__(self, model: Model) -> None:
        self._records: Mapping[type, RecordModel] = model.records
        self._made: dict[tuple[type, type], type] = {}
        self.only = _Only(self)
        """By record: the class of all that is found as one, or None where there are several kinds."""

    def of(self, record: RecordModel, kind: RecordModel) -> Any:
        """The class of what is found as a ``record`` and is of that kind."""
        if not record.is_view or issubclass(record.cls, kind.cls):
            return record.cls if record.is_view else kind.cls
        found = self._made.get((record.cls, kind.cls))
        if found is None:
            # It is both: of its kind, with the methods of the view.
            found = types.new_class(kind.name, (kind.cls, record.cls))
            found.__module__ = kind.cls.__module__
            setattr(found, _DECLARED, kind.cls)
            self._made[record.cls, kind.cls] = found
        return found

    def model(self, cls: type) -> RecordModel | None:
        """The model of an instance's class."""
        return self._records.get(declared_class(cls))


class _Only(dict[RecordModel, Any]):
    """Each is found once, when it is first asked for."""

    def __init__(self, classes: RowClasses) -> None:
        self._classes = classes

    def __missing__(self, record: RecordModel) -> Any:
        self[record] = found = self._classes.of(record, record.kinds[0]) if record.is_of_one_kind else None
        return found
