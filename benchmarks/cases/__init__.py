"""What is measured, each beside the handwritten code that does the same."""
