"""Linear layers that read only the rows whose input is not zero.

A dense layer enters; one that switches to sparse products where they were measured to be faster leaves. Read
`input_linear` first, then `crossover`, which measures.
"""
