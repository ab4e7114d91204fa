"""`zoo.export`: makers of TorchScript feature models, one file per family.

Depends on torch and errors only.
"""
