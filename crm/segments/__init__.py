"""The rule language: who belongs to a segment."""
