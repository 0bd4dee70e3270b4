"""What the room Fit asks of the library.

Tables and options enter; fits and paths of gradient descent leave, computed by `worker` in a process of its own. Read
`answers` first, then `process`.
"""
