"""The dReLU unit and its parametrisations.

Parameters of any of them enter; units that convert into each other without loss leave. Read `drelu` first, then
`family`, by which all others compute.
"""
