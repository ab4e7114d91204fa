"""`samplers`: which fixed points are compared.

Depends on geometry; registration depends on it.
"""
