"""Fits whose pieces need not meet.

A checked request enters; the best segments, their intervals and a fit leave. Read `fit` first, then `segmented`.
"""
