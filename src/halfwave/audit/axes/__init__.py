"""Where samples and channels lie in a tensor.

Tensors and the functions that move their dimensions enter; the axes of samples and channels of any later tensor leave.
Read `trail` first; `moves` and `layers` hold one rule for each function.
"""
