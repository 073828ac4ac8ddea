"""What users declare, and what it means: declarations, expressions, tracing, the resolved model."""
