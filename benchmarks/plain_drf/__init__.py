"""The peer of the events and intake figures: plain REST framework views on the ORM.

One looks up a key and inserts a row; the other looks up a key and a device, inserts two rows and
pushes to Redis once.

A project as `startproject` writes it, on our tables. In its favour: it checks and merges nothing,
knows no duplicate, counts no open, measures no message, writes no log, and keeps its database
connection unchecked.
"""
