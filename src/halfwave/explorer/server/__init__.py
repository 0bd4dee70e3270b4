"""Serves the page and carries questions to the rooms.

Messages of a page enter; answers, and the page itself, leave. Read `serving` first, then `conversation`, `protocol` and
`answers`, the table of what rooms can be asked; rooms stand on `session`, `shelf` and `payloads`.
"""
