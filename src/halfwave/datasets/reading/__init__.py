"""Files to raw arrays.

A path enters; arrays as they stand in the file leave, with the names of columns where it has them. Read `readers`
first, which knows what each suffix means.
"""
