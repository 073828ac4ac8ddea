"""Refused references: which one it is, where the database says no more than that it refused one.

SQLite does not tell. A statement that it refused has done nothing, and its transaction goes on, so
the rows themselves can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from interaqt.core.model import RecordModel, Reference
from interaqt.storage.database import Violation
from interaqt.storage.prepared import KEY, Image, Reader

if TYPE_CHECKING:
    from interaqt.runtime.run import Run

__all__ = ["require_named", "require_unnamed"]


def require_named(error: Exception, run: Run, record: RecordModel, images: Sequence[Image]) -> None:
    """Raise what a refusal to write rows means, if one of them refers to nothing."""
    if not _is_silent(error, run):
        return
    for reference in record.root.references():
        keys = sorted({image[reference.name] for image in images if image.get(reference.name) is not None})
        missing = keys and _missing(run, reference.target, keys)
        if missing:
            _refuse(
                error, run, reference, f"{reference} names the {reference.target} {missing[0]!r}, which does not exist"
            )


def _missing(run: Run, target: RecordModel, keys: Sequence[Any]) -> list[Any]:
    """Those of the keys that no row has, by one query."""
    statement = run.planner.statements.read_rows(target.root, (target.key,), lock=False)
    reader = Reader(run.planner.schema, (target.key,))
    rows = statement.run(run.tx, [{KEY: key} for key in keys]).fetchall()
    found = {reader.image(row)[target.key.name] for row in rows}
    return [key for key in keys if key not in found]


def require_unnamed(error: Exception, run: Run, record: RecordModel, keys: Callable[[], Sequence[Any]]) -> None:
    """Raise what a refusal to delete records means, if something refers to one of them."""
    if not _is_silent(error, run):
        return
    for reference in run.planner.model.referring_to(record):
        for (other, other_key), (_, key) in run.referring(reference, keys()):
            _refuse(
                error,
                run,
                reference,
                f"the {record} {key!r} is to be deleted, but {reference} of the {other} {other_key!r} names it",
                f"delete that first, or declare {reference.name} with iq.one(on_delete='cascade')",
            )


def _is_silent(error: Exception, run: Run) -> bool:
    violation = run.planner.schema.database.violation(error)
    return violation is not None and violation.kind == "foreign_key" and not (violation.constraint or violation.table)


def _refuse(error: Exception, run: Run, reference: Reference, message: str, hint: str = "") -> None:
    violation = Violation("foreign_key", table=reference.record.table, columns=(reference.column,))
    refused = run.planner.schema.violation(violation)
    refused.message, refused.hint = message, hint
    raise refused from error
