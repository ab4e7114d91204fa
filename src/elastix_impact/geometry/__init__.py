"""`geometry`: grids, images, interpolation, B-splines, pyramids: functions on tensors.

Depends on typing and errors; every numeric room may depend on it.
"""
