"""Whether a GPU is there and works, in words."""

import os

import torch

CONTAINER = "ELASTIX_IMPACT_CONTAINER"
"""Environment variable that the container image sets."""


def gpu_line() -> str:
    """One line about the GPU: which one, how much memory is free, or why there is none and what to do."""
    if torch.backends.mps.is_available():
        return "GPU: Apple (mps)"
    if not torch.backends.cuda.is_built():
        return "GPU: none can be used, this PyTorch is built for the CPU; install a CUDA build of PyTorch to use one"
    if not torch.cuda.is_available():
        if os.environ.get(CONTAINER):
            return "GPU: none visible, running on the CPU; start the container with --gpus all (Apptainer: --nv)"
        return "GPU: none visible to PyTorch; a GPU that is there needs NVIDIA's driver for CUDA " + cuda_version()
    try:
        free, total = torch.cuda.mem_get_info()
        float(torch.ones(8, device="cuda").sum())
    except RuntimeError as error:
        return f"GPU: {torch.cuda.get_device_name()} is there and fails: {str(error).splitlines()[0]}; use --device cpu"
    name = torch.cuda.get_device_name()
    count = torch.cuda.device_count()
    more = f", {count - 1} more" if count > 1 else ""
    return f"GPU: {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free, CUDA {cuda_version()}, works{more}"


def cuda_version() -> str:
    """The CUDA that PyTorch was built for."""
    return str(torch.version.cuda or "?")
