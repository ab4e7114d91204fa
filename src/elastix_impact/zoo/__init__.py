"""`zoo`: feature models: TorchScript files, how they are made, inspected and run.

Depends on geometry; metrics and all above may depend on it.
"""
