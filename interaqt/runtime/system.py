"""MonoSystem: one database, and the storage of the model that a controller brings to it."""

from __future__ import annotations

from interaqt.core.errors import NotInstalled, SetupError
from interaqt.storage.database import Database
from interaqt.storage.storage import Storage

__all__ = ["MonoSystem"]


class MonoSystem:
    """Everything in one database. ``MonoSystem(SQLiteDB("app.db"))``."""

    def __init__(self, database: Database) -> None:
        if not isinstance(database, Database):
            raise SetupError(
                f"a system takes a database, not {database!r}",
                code="setup.database",
                hint='write MonoSystem(SQLiteDB("app.db"))',
            )
        self.database = database
        self._storage: Storage | None = None

    @property
    def storage(self) -> Storage:
        """Queries and records; there once a controller is made of this system."""
        if self._storage is None:
            raise NotInstalled(
                "the system has no model yet", hint="make a controller of it: Controller(system, [User, Post, ...])"
            )
        return self._storage

    def use(self, storage: Storage) -> None:
        """Called by the controller: a system has one model at a time."""
        self._storage = storage

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
