"""What callbacks may read: attributes that are reached from a variable."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tests.oracle.drawing.text import Class

__all__ = ["Path", "paths"]


@attrs.frozen
class Path:
    """An attribute that is reached from a variable: its text, and which steps on the way may be None."""

    text: str
    guards: tuple[str, ...]
    kind: str | Class
    nullable: bool

    def guarded(self, test: str, word: str = "and") -> str:
        """``test`` where the way exists, else False (or True, for ``or``)."""
        conditions = [f"{each} is {'not ' if word == 'and' else ''}None" for each in self.guards]
        return f" {word} ".join([*conditions, test])

    def value(self) -> str:
        """The attribute where the way exists, else None."""
        if not self.guards:
            return self.text
        return f"{self.text} if {' and '.join(f'{each} is not None' for each in self.guards)} else None"


def paths(cls: Class, text: str, depth: int, guards: tuple[str, ...] = ()) -> Iterator[Path]:
    """What may be read of a record of ``cls``, through references to records that are drawn already."""
    if not cls.born:
        return
    for field in cls.fields:
        yield Path(f"{text}.{field.name}", guards, field.kind, field.nullable)
    for ref in cls.refs:
        here = f"{text}.{ref.name}"
        yield Path(here, guards, ref.target, ref.nullable)
        if depth:
            yield from paths(ref.target, here, depth - 1, (*guards, here) if ref.nullable else guards)
