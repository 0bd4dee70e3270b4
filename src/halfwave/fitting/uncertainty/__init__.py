"""How sure a fit is.

A fit and its data enter; intervals of kinks, slopes and intercepts leave. Read `intervals` first.
"""
