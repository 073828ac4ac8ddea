"""What a declaration can compute, one file each."""

from interaqt.core.computations.aggregation import AggregateRule, Aggregation, Computation, HostRule, Sum, Target
from interaqt.core.computations.average import Average
from interaqt.core.computations.change import Change
from interaqt.core.computations.compared import ComparedRule, LookupRule
from interaqt.core.computations.count import Count
from interaqt.core.computations.custom import Custom
from interaqt.core.computations.custom_rule import UNKNOWN, CustomRule, OwnCustomRule
from interaqt.core.computations.deletion import Deletion, Ending, deleted_by
from interaqt.core.computations.distinct import Distinct, DistinctRule
from interaqt.core.computations.extremes import Maximum, Minimum
from interaqt.core.computations.first_last import First, Last
from interaqt.core.computations.own import OwnRule
from interaqt.core.computations.quantifiers import Any, Every
from interaqt.core.computations.real_time import RealTime, RealTimeRule, RealTimeSpec
from interaqt.core.computations.rule import Rule, ValueRule
from interaqt.core.computations.sequence import ScopedSequence, SequenceRule, SequenceSpec
from interaqt.core.computations.stamps import Stamp, StampSpec, change_count, changed_at, changed_by
from interaqt.core.computations.state_machine import StateMachine, StateMachineSpec, Written
from interaqt.core.computations.summation import Summation, WeightedSummation
from interaqt.core.computations.transform import Creation, Derivation, Transform, Variant
from interaqt.core.computations.transitions import DELETED, Deleted, Transition, on

__all__ = [
    "DELETED",
    "UNKNOWN",
    "AggregateRule",
    "Aggregation",
    "Any",
    "Average",
    "Change",
    "ComparedRule",
    "Computation",
    "Count",
    "Creation",
    "Custom",
    "CustomRule",
    "Deleted",
    "Deletion",
    "Derivation",
    "Distinct",
    "DistinctRule",
    "Ending",
    "Every",
    "First",
    "HostRule",
    "Last",
    "LookupRule",
    "Maximum",
    "Minimum",
    "OwnCustomRule",
    "OwnRule",
    "RealTime",
    "RealTimeRule",
    "RealTimeSpec",
    "Rule",
    "ScopedSequence",
    "SequenceRule",
    "SequenceSpec",
    "Stamp",
    "StampSpec",
    "StateMachine",
    "StateMachineSpec",
    "Sum",
    "Summation",
    "Target",
    "Transform",
    "Transition",
    "ValueRule",
    "Variant",
    "WeightedSummation",
    "Written",
    "change_count",
    "changed_at",
    "changed_by",
    "deleted_by",
    "on",
]
