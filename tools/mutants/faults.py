"""Small faults in a source text: one operator, comparison, number, sign, argument or statement is another or is gone.

Only bodies of functions are changed. Docstrings, annotations, default values, decorators, assertions, the words of
errors and `__repr__` are left as they are: nobody computes with them.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OTHER_OPERATOR: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(), ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Add(), ast.Pow: ast.Mult(), ast.BitAnd: ast.BitOr(), ast.BitOr: ast.BitAnd(),
}  # fmt: skip
_OTHER_COMPARISON: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(), ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(), ast.In: ast.NotIn(), ast.NotIn: ast.In(),
}  # fmt: skip
_SAME_NUMBERS = frozenset({
    "detach", "contiguous", "to", "cpu", "clone", "double", "float", "requires_grad_",
    "view_as", "expand_as", "item", "tolist", "copy", "squeeze", "unsqueeze", "keys",
})  # fmt: skip
"""Methods and functions that, left out, mostly leave the same numbers behind, by broadcasting too."""
_NO_MATTER = frozenset({
    "device", "name", "where", "expected", "remedy", "dtype", "memory_format", "out",
    "non_blocking", "stacklevel", "stable",
})  # fmt: skip
"""Keyword arguments that say where numbers lie, or words; `stable`, as PyTorch's sort is that on a CPU anyway."""


_ALONG_AN_AXIS = frozenset({"cumsum", "index_select", "select", "sum", "mean", "amin", "amax", "any", "all", "flip"})
"""Methods whose first argument is an axis: 0 becomes 1, not -1, which is the same axis where there is only one."""


@dataclass(frozen=True)
class Fault:
    """A source file with one fault.

    Attributes
    ----------
    path, line
        Where it is.
    function
        Qualified name of the outermost function around it.
    text
        The whole faulty file; its other lines are where they were.
    """

    path: Path
    line: int
    function: str
    text: str


def faults_in(path: Path) -> list[Fault]:
    """Every fault that can be planted into a file, in the order of its lines."""
    text = path.read_text(encoding="utf-8")
    found = []
    for function, node in _functions(ast.parse(text), ""):
        for place, new in _changes(node):
            faulty = _with(text, place, new)
            if _is_python(faulty):
                found.append(Fault(path, place.lineno, function, faulty))
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods, with their qualified names; those of one name (a property and its setter) are left out."""
    names = [child.name for child in ast.iter_child_nodes(node) if isinstance(child, ast.FunctionDef)]
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef) and names.count(child.name) == 1 and child.name != "__repr__":
            yield f"{prefix}{child.name}", child


def _changes(function: ast.FunctionDef) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Expressions and statements of a function's body, each with what may stand there instead."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    axes = {axis for node in ast.walk(function) for axis in _first_axis(node)}
    for statement in body:
        for node in _computing(statement):
            yield from ((node, new) for new in _instead(node) if not (node in axes and new == "(-1)"))


def _first_axis(node: ast.AST) -> list[ast.expr]:
    """The number 0 that a method takes as an axis, or nothing."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=0) as axis, *_]):
            return [axis] if name in _ALONG_AN_AXIS else []
    return []


def _computing(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """A node and those below it, without words and annotations."""
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom) or _is_only_a_bound(node):
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "args_annotation", "decorator_list", "defaults", "kw_defaults"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (isinstance(child, ast.keyword) and child.arg in _NO_MATTER):
                yield from _computing(child)


def _is_only_a_bound(node: ast.AST) -> bool:
    """Whether it is the size of pieces, ``1 << 18``, or asks if an index needs 64 bits: results are the same with any.

    That an image of 2**31 voxels gets the wider type can't be tried: its mask alone takes two gigabytes.
    """
    match node:
        case ast.BinOp(left=ast.Constant(value=1), op=ast.LShift()):
            return True
        case ast.Compare(comparators=[ast.BinOp(ast.Constant(value=2), ast.Pow(), ast.Constant(value=31))]):
            return True
    return False


def _instead(node: ast.expr | ast.stmt) -> Iterator[str]:
    match node:
        case ast.BinOp(op=operator) if type(operator) in _OTHER_OPERATOR and not _is_text(node):
            yield _replaced(node, op=_OTHER_OPERATOR[type(operator)])
        case ast.Compare(ops=[first, *others]) if type(first) in _OTHER_COMPARISON:
            yield _replaced(node, ops=[_OTHER_COMPARISON[type(first)], *others])
        case ast.BoolOp(op=operator):
            yield _replaced(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"({value + 1!r})"
            yield f"({value - 1!r})"
        case ast.IfExp(body=body, orelse=other):
            yield _replaced(node, body=other, orelse=body)
        case ast.AugAssign():
            yield "pass"
        case ast.Call():
            yield from _other_calls(node)


def _other_calls(call: ast.Call) -> Iterator[str]:
    """A call without one of its keyword arguments, and a method's object instead of its result."""
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in _NO_MATTER:
            yield _replaced(call, keywords=[other for other in call.keywords if other is not keyword])
    match call.func:
        case ast.Attribute(value=ast.Name(id="torch" | "math" | "F" | "np"), attr=name) if call.args:
            if name not in _SAME_NUMBERS and isinstance(call.args[0], ast.Name | ast.Call | ast.BinOp):
                yield f"({ast.unparse(call.args[0])})"
        case ast.Attribute(value=value, attr=name) if name not in _SAME_NUMBERS:
            yield f"({ast.unparse(value)})"
        case ast.Name(id=name) if name not in _SAME_NUMBERS and call.args and name.islower():
            if isinstance(call.args[0], ast.Name):
                yield ast.unparse(call.args[0])


def _replaced(node: ast.expr, **fields: object) -> str:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return f"({ast.unparse(new)})"


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _with(text: str, place: ast.expr | ast.stmt, new: str) -> str:
    """The text with `new` at a node's place, and as many lines as before."""
    lines = text.encode().splitlines(keepends=True)
    assert place.end_lineno is not None
    before = b"".join(lines[: place.lineno - 1]) + lines[place.lineno - 1][: place.col_offset]
    after = lines[place.end_lineno - 1][place.end_col_offset :] + b"".join(lines[place.end_lineno :])
    gone = place.end_lineno - place.lineno
    rest, newline, others = after.partition(b"\n")
    return (before + new.encode() + rest + newline + b"\n" * gone + others).decode()


def _is_python(text: str) -> bool:
    try:
        compile(text, "faulty", "exec")
    except SyntaxError:
        return False
    return True
