"""`evaluation`: how good a registration is: landmarks (TRE).

Depends on transforms and geometry; runs and cli depend on it.
"""
