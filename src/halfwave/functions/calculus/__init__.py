"""Integrals, conjugates and Gaussian moments of piecewise-linear functions.

Pieces enter; other exact functions or numbers leave. Read `piecewise_quadratic` first, then `gaussian`.
"""
