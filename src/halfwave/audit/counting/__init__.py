"""What is counted of the inputs and outputs of one rectifier.

Tensors whose axes are known enter batch by batch; counts, moments and histograms of each channel leave. Read `site`
first, which holds all of them for one rectifier; `sums` and `sweeps` are the passes over memory.
"""
