"""Figures of exact functions.

A `PiecewiseLinear` enters; a figure of it, its derivative and its integral leaves. Read `function` first.
"""
