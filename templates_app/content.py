"""Which strings of an in-app template are to be filled in; pure."""
