"""People who sign up, and everybody else as others may look them up (contracts/connectycube §5)."""
