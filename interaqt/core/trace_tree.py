"""What the runs of a traced callback give: a tree of its decisions with a value at each leaf."""

from __future__ import annotations

import attrs

from interaqt.core.expressions import Expr

__all__ = ["Branch", "Construction", "Leaf", "Tree"]


@attrs.frozen
class Leaf:
    """The value of one run: a stand-in, a constant, None, a Construction, or a list of those."""

    value: object


@attrs.frozen
class Branch:
    """What the runs give where ``condition`` holds, and where it does not."""

    condition: Expr
    then: Tree
    otherwise: Tree


Tree = Leaf | Branch


@attrs.frozen
class Construction:
    """A record that a traced callback would make: the class that it called, and with what."""

    record_class: type
    values: dict[str, object]
