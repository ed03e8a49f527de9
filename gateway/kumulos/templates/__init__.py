"""In-app templates as backends store them."""
