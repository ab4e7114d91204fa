"""`api`: registration from Python in one call, with inputs from memory or from files.

Depends on everything but the command line.
"""
