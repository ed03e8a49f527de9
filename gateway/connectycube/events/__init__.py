"""Events: pushes for some users, now, later or again and again."""
