"""Speed, as ratios: interaqt beside code written by hand for the same writes, in the same run.

``python -m benchmarks`` prints the table.
"""
