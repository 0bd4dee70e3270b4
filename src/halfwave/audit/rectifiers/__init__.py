"""What counts as a rectifier.

Modules and calls of torch functions enter; a `Rectifier`, its kind and its kinks, leaves, or None for whatever else it
is. Read `rectifier` first, then `operations`, the table of functions, and `modules`, that of classes.
"""
