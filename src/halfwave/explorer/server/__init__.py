"""Serves the page and carries questions to the rooms.

Messages of a page enter; answers, and the page itself, leave. Read `serving` first, then `conversation`, `protocol` and
`answers`, the table of the rooms and of what they can be asked (a room is imported when it is first asked).
"""
