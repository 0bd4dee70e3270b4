"""What the room Machine asks of the library.

A run folder enters; pictures of data, chains, features and units leave. Read `answers` first, then `opening`, which
reads the run, and `sampling`, whose chains go on.
"""
