"""Create, replace and delete in-app templates."""
