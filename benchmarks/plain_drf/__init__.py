"""The peer of the events figures: a plain REST framework view that looks up a key, inserts a row.

A project as `startproject` writes it, on our tables. In its favour: it checks and merges nothing,
knows no duplicate, counts no open, writes no log, and keeps its database connection unchecked.
"""
