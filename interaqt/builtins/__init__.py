"""What comes with interaqt beyond the engine: conditions."""
