"""The operators' surface: pages in the admin that are about work, not rows."""
