"""Explicit functions of several variables: max-affine, hinges, additive.

A matrix of inputs and a vector enter; a function that prints, differentiates and exports leaves. Read
`explicit_function` first, then one pair of problem and function, such as `max_affine` and `max_affine_function`.
"""
