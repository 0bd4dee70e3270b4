"""Raw arrays to what a visible layer takes.

Arrays and the wishes of the user enter; values ready for a layer and a description of what was done leave. Read
`recognise` first, which finds what the values are, then `treatment`.
"""
