"""Every write to people and devices, one file per noun."""
