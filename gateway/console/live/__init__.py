"""A send is watched, stopped and taken away as a table."""
