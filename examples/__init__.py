"""Programs that use interaqt the way an application would; each runs with ``python -m examples.NAME``."""
