"""`searching`: where two images may lie, by all turns and shifts at once, for a registration to start from.

Depends on metrics, transforms, zoo and geometry; registration depends on it. It runs on the CPU.
"""
