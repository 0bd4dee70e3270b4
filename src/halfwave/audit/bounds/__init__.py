"""What rectifiers can be given at all, and which layers surround them.

A model, one sample and a range of inputs enter; bounds of every pre-activation and the neighbours of each rectifier
leave. Read `wiring` first, then `probe`, the pass that follows intervals by the rules in `rules`.
"""
