"""Stable numbers for one side of a unit.

Tensors of locations and scales enter; tails, moments and samples that stay accurate far out leave. Read `tails` first,
then `side`, which puts them together.
"""
