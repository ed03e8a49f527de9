"""The Kumulos dialect, complete; delete the folder and it is gone."""
