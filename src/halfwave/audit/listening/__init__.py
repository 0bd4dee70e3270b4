"""Hears every call that a running model makes.

A model enters, and is left as it was; calls of rectifiers leave, each to its `Site`, with notes on what could not be
followed. Read `listener` first, then `recorder`, which gives what is heard to those who count.
"""
