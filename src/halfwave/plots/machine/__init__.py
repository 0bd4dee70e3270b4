"""Figures of a restricted Boltzmann machine, and the report that holds them.

A machine, data and samples enter; figures and one page leave. Read `report` first.
"""
