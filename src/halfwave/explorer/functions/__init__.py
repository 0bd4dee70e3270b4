"""What the room Functions asks of the library.

Terms of a sum enter; formulas, means under a Gaussian and ONNX files leave. Read `answers` first.
"""
