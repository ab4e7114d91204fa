"""`phantoms`: cases made of mathematics, whose motion is known: the demo.

Depends on io and zoo; cli depends on it.
"""
