"""Models in files: exported programs and ONNX.

A path and arrays enter; a network that can be audited and the inputs it asks for leave. Nothing in a file is executed
that could be more than a graph. Read `exported` first, then `onnx_model`.
"""
