"""People as backends read and describe them."""
