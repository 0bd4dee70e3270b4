"""Figures of fits.

A fit, a path of gradient descent or a function of several variables enters; figures and animations leave. Read `fit`
first.
"""
