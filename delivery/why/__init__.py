"""Why somebody did or did not get a push: what is stored of it, as an answer with its evidence."""
