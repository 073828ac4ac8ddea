"""What callbacks may read: attributes that are reached from a variable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from tests.oracle.drawing.text import Class, Field, Ref

__all__ = ["Path", "paths"]


@attrs.frozen
class Path:
    """An attribute that is reached from a variable: its text, and what must hold for there to be one."""

    text: str
    guards: tuple[str, ...]
    kind: str | Class
    nullable: bool

    def guarded(self, test: str, word: str = "and") -> str:
        """``test`` where the way exists, else False (or True, for ``or``)."""
        conditions = self.guards if word == "and" else map(_not, self.guards)
        return f" {word} ".join([*conditions, test])

    def value(self) -> str:
        """The attribute where the way exists, else None."""
        if not self.guards:
            return self.text
        return f"{self.text} if {' and '.join(self.guards)} else None"


def paths(
    cls: Class, text: str, depth: int, guards: tuple[str, ...] = (), kinds: Sequence[Class] = ()
) -> Iterator[Path]:
    """What may be read of a record of ``cls``, through references to records that are drawn already.

    Of ``kinds`` those that the record may be: it is asked then whether it is one.
    """
    if not cls.born:
        return
    yield from _own(cls.every_field, cls.every_ref, text, depth, guards, kinds)
    for kind in kinds:
        if kind is not cls.home and kind.is_a(cls.home):
            yield from _own(kind.fields, kind.refs, text, depth, (*guards, f"isinstance({text}, {kind.name})"), kinds)


def _own(
    fields: Iterable[Field],
    refs: Iterable[Ref],
    text: str,
    depth: int,
    guards: tuple[str, ...],
    kinds: Sequence[Class],
) -> Iterator[Path]:
    for field in fields:
        yield Path(f"{text}.{field.name}", guards, field.kind, field.nullable)
    for ref in refs:
        here = f"{text}.{ref.name}"
        yield Path(here, guards, ref.target, ref.nullable)
        if depth:
            beyond = (*guards, f"{here} is not None") if ref.nullable else guards
            yield from paths(ref.target, here, depth - 1, beyond, kinds)


def _not(condition: str) -> str:
    return condition.replace(" is not None", " is None") if condition.endswith(" is not None") else f"not {condition}"
