"""The search for the best kinks.

Sorted data in cells enter; kinks and heights of the best continuous broken line leave, for every number of kinks up to
the largest. Read `search` first, then `dynamic_programme` and `polish`.
"""
