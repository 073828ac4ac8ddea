"""For tests: the contract that every driver keeps, word by word of what its capability says."""

from interaqt.testing.contract import CLAIMS, BrokenPromise, Claim
from interaqt.testing.play import Bench

__all__ = ["CLAIMS", "Bench", "BrokenPromise", "Claim"]
