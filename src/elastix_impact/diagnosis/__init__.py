"""`diagnosis`: what this machine has and what works on it, and whether a map's models are fit.

Depends on runs, registration and zoo; cli depends on it.
"""
