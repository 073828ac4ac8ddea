"""Which way the values of a rule are written on its hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interaqt.core.computations import ComparedRule, CustomRule, DistinctRule, LookupRule, OwnCustomRule
from interaqt.runtime.custom import CustomUpdate
from interaqt.runtime.distinct import DistinctUpdate
from interaqt.runtime.lookups import LookupUpdate
from interaqt.runtime.requests import Requests

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Following", "asking", "following"]

#: What can follow the moves of records.
Following = LookupUpdate | DistinctUpdate | CustomUpdate | Requests


def following(planner: Planner, rule: ComparedRule) -> Following:
    """What follows the moves of a rule's records."""
    match rule:
        case LookupRule():
            return LookupUpdate(planner, rule)
        case CustomRule():
            return asking(planner, rule)
    assert isinstance(rule, DistinctRule)
    return DistinctUpdate(planner, rule)


def asking(planner: Planner, rule: CustomRule | OwnCustomRule) -> CustomUpdate | Requests:
    """What asks Python for the values of a rule: at once, or a worker."""
    return CustomUpdate(planner, rule) if rule.functions.asynchronous is None else Requests(planner, rule)
