"""What chosen submodules of a network give out while it runs, and nothing behind the last of them."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, final

from torch import Tensor, nn

from elastix_impact.errors import ModelError

WHOLE = ("", "output")
"""Names for the network's own result."""


@final
class _EnoughLayersError(Exception):
    """The last layer wanted has come."""


@final
class CapturedLayers(nn.Module):
    """A network that gives the outputs of its submodules `layers`, as a list, instead of its own.

    Parameters
    ----------
    network
        Any module. It is left with hooks only while it runs.
    layers
        Names of submodules, in the order in which they run.
    modified
        Those of `layers` whose output the network changes in place afterwards: it is copied.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str], modified: Sequence[str] = ()) -> None:
        super().__init__()
        self.network = network
        self.layers, self.modified = tuple(layers), tuple(modified)

    def forward(self, x: Tensor) -> list[Tensor]:  # (N, C, *spatial)
        """The layers, in order."""
        found: dict[str, Tensor] = {}
        modules = {name: submodule(self.network, name) for name in self.layers}
        hooks = [module.register_forward_hook(partial(self.keep, found, name)) for name, module in modules.items()]
        try:
            self.network(x)
        except _EnoughLayersError:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return [found[name] for name in self.layers]

    def keep(self, found: dict[str, Tensor], name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        """Called when a layer has run."""
        found[name] = output.clone() if name in self.modified else output
        if len(found) == len(self.layers):
            raise _EnoughLayersError


def submodule(network: nn.Module, name: str) -> nn.Module:
    """A submodule by its name in `named_modules`; `WHOLE` are the network itself.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    modules = dict(network.named_modules())
    if name in WHOLE:
        return network
    if name in modules:
        return modules[name]
    near = get_close_matches(name, [known for known in modules if known], n=3, cutoff=0.4) or list(modules)[1:4]
    raise ModelError(
        f"the network has no submodule {name!r}",
        where=type(network).__name__,
        expected=f'a name of module.named_modules(), such as {", ".join(map(repr, near))}, or "output"',
    )


def observed_order(network: nn.Module, layers: Sequence[str], x: Tensor) -> tuple[list[str], list[str]]:
    """The layers in the order in which they run, and those whose output is changed in place afterwards.

    Parameters
    ----------
    x
        An image (N, C, *spatial) that the network takes.

    Raises
    ------
    ModelError
        If a layer doesn't run exactly once, or its output is no tensor (N, channels, *spatial).
    """
    outputs: list[tuple[str, Any, int]] = []

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        outputs.append((name, output, output._version if isinstance(output, Tensor) else 0))

    hooks = [submodule(network, name).register_forward_hook(partial(note, name)) for name in layers]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    order = [name for name, _, _ in outputs]
    for name in layers:
        _check_runs(name, order.count(name), type(network).__name__)
    for name, output, _ in outputs:
        _check_shape(name, output, x, type(network).__name__)
    return order, [name for name, output, version in outputs if output._version != version]


def _check_runs(name: str, count: int, where: str) -> None:
    if count != 1:
        raise ModelError(
            f"submodule {name!r} runs {count} times in one pass" if count else f"submodule {name!r} never runs",
            where=where,
            expected="layers that run exactly once",
            remedy="Name the module around it, or one behind it",
        )


def _check_shape(name: str, output: Any, x: Tensor, where: str) -> None:
    if not isinstance(output, Tensor):
        what = f"gives a {type(output).__name__}"
    elif output.dim() != x.dim() or output.shape[0] != x.shape[0]:
        what = f"gives a tensor of shape {tuple(output.shape)} for an image of shape {tuple(x.shape)}"
    else:
        return
    raise ModelError(
        f"submodule {name!r} {what}",
        where=where,
        expected=f"a tensor (N, channels, {', '.join('zyx'[5 - x.dim() :])})",
        remedy="Name a submodule before the reshaping, or wrap the network in a module that puts the axes back",
    )
