"""Planting a fault into functions that live in this process."""

import functools
import gc
import sys
from types import CodeType, FunctionType

from .faults import Fault


def plant(fault: Fault) -> bool:
    """Give the function its faulty code; False where that can't be done (another closure, or it was never loaded).

    All modules keep their names, classes and decorated functions: only the code inside changes. What functions with a
    cache remember from before is forgotten.
    """
    path = str(fault.path)
    code = _code_of(compile(fault.text, path, "exec"), fault.function)
    here = [f for f in gc.get_objects() if type(f) is FunctionType and _is_of(f.__code__, path, fault.function)]
    if code is None or not here:
        return False
    try:
        for function in here:
            function.__code__ = code.replace(co_filename=function.__code__.co_filename)
    except ValueError:
        return False
    forget()
    return True


def forget() -> None:
    """Empty the caches of the package's functions."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("elastix_impact"):
            continue
        for held in list(vars(module).values()):
            if isinstance(held, functools._lru_cache_wrapper):
                held.cache_clear()


def _is_of(code: CodeType, path: str, function: str) -> bool:
    return code.co_filename == path and code.co_qualname == function


def _code_of(code: CodeType, function: str) -> CodeType | None:
    """The code of a function by its qualified name, below a module's code."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_qualname == function:
                return inner
            if function.startswith(f"{inner.co_qualname}."):
                return _code_of(inner, function)
    return None
