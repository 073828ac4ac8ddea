"""Rows that were created, one by one or many together, and what the database tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from interaqt.core.model import RecordModel
from interaqt.storage.database import Result
from interaqt.storage.prepared import Image, Reader

__all__ = ["Created", "CreatedRows", "Told"]


class Created:
    """A row that was created; asking for what the database tells of it waits for the statement, so ask late."""

    __slots__ = ("_told", "image", "record")

    def __init__(self, record: RecordModel, image: Image, told: Told | CreatedRows | None = None) -> None:
        self.record, self.image = record, image
        self._told = told

    @property
    def key(self) -> Any:
        name = self.record.key.name
        if name not in self.image:
            self.complete()
        return self.image[name]

    def complete(self) -> Image:
        """All of the row."""
        if self._told is not None:
            self._told.fetch()
        return self.image


class CreatedRows:
    """Rows that were created together, kept by their columns: each is told of only when somebody asks."""

    def __init__(self, record: RecordModel, columns: dict[str, Sequence[Any]], length: int) -> None:
        self.record, self.columns = record, columns
        self._length = length
        self._images: list[Image] | None = None
        self._answer: tuple[Result, Reader] | None = None

    @property
    def images(self) -> list[Image]:
        """The rows, as far as is known of them."""
        if self._images is None:
            rows = zip(*self.columns.values(), strict=True) if self.columns else repeat((), self._length)
            self._images = [dict(zip(self.columns, row, strict=True)) for row in rows]
        return self._images

    def answered(self, result: Result, reader: Reader) -> None:
        """Note what the database tells of them."""
        self._answer = result, reader

    def fetch(self) -> None:
        """Wait for what the database tells of them, once."""
        if self._answer is not None:
            (result, reader), self._answer = self._answer, None
            told = reader.columns(result.fetchall())
            self.columns |= told
            for name, column in told.items() if self._images is not None else ():
                for image, value in zip(self.images, column, strict=True):
                    image[name] = value

    def each(self, start: int, stop: int) -> list[Created]:
        """Some of them, one by one."""
        return [Created(self.record, image, self) for image in self.images[start:stop]]


class Told:
    """What an INSERT answers, fetched into the rows' images when the first is asked for."""

    __slots__ = ("_images", "_reader", "_result")

    def __init__(self, result: Result, images: Sequence[Image], reader: Reader) -> None:
        self._result, self._reader = result, reader
        self._images: Sequence[Image] = images

    def fetch(self) -> None:
        images, self._images = self._images, ()
        if images:
            for image, row in zip(images, self._result.fetchall(), strict=True):
                image |= self._reader.image(row)
