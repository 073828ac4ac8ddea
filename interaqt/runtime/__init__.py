"""What runs a dispatch: graph, plans, transaction, effects."""
