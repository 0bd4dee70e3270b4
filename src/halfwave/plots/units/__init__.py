"""Figures of random units.

A unit enters; densities over histograms of samples, or mean and mode against the input, leave. Read `drelu` first.
"""
