"""The ConnectyCube dialect, complete; delete the folder and it is gone."""
