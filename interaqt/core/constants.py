"""Constants: the steps that lead from every record of a model to each of its dictionaries."""

from __future__ import annotations

from collections.abc import Iterable

from interaqt.core.model import Constant, RecordModel, constant_name

__all__ = ["add_constants"]


def add_constants(records: Iterable[RecordModel]) -> None:
    """Give every record, other dictionaries among them, a step to each dictionary."""
    every = list(records)
    for dictionary in [each for each in every if each.is_dictionary]:
        for record in (each for each in every if each is not dictionary):
            name = constant_name(dictionary.name)
            record.attributes[name] = Constant(
                record=record,
                name=name,
                location=dictionary.location,
                type=dictionary.type,
                column="",
                target=dictionary,
            )
