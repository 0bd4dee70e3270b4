"""What the room Units asks of the library.

Parameters of a dReLU unit enter; densities, samples and moments on grids leave. Read `answers` first, then `questions`,
which reads what is asked.
"""
