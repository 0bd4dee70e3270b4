"""Formulas read.

Text enters; a `PiecewiseLinear` leaves, or an error with a caret below its place. Read `parser` first.
"""
