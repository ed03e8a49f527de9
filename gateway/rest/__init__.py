"""Parts any dialect is built from; knows no dialect."""
