"""Formulas written.

Pieces enter; text in plain signs or LaTeX leaves. Read `formula` first; `numbers` writes the numbers in it.
"""
