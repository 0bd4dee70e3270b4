"""Dead units that start again.

A model and its report enter; a model whose dead units have new weights, and which computes what it did, leaves. Read
`reviving` first, then `plan`, which says what may be changed, and `ways`, which finds who reads a unit.
"""
