"""What one open page has: its session, the shelf of files it may open, and the numbers it sends.

Payloads of a page enter; checked numbers, and the parts that a room keeps between two questions, leave. Read `session`
first: rooms stand on it, and the server stands on the rooms.
"""
