"""Figures of an audit, and the page that holds them.

A report enters; figures and one page leave. Read `report` first.
"""
