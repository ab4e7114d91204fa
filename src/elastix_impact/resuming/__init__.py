"""`resuming`: what a killed run is continued from, and whether it is the same run.

Depends on registration and io; runs depends on it.
"""
