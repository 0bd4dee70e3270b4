"""Thresholds in the place of zero kinks, and layers that read only what is not zero.

A model and batches enter; a model with `ThresholdedReLU` or `SparseInputLinear` and what it costs leave. Read
`thresholds` first, then `sparsifying`.
"""
