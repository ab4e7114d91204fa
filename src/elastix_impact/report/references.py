"""What to cite for a run, from the components that it used."""

from collections.abc import Iterator, Mapping
from typing import Any

from elastix_impact.errors import ModelError
from elastix_impact.zoo.catalog import FAMILIES, find_entry

ELASTIX = (
    "S. Klein, M. Staring, K. Murphy, M. A. Viergever, J. P. W. Pluim: elastix: a toolbox for intensity-based medical "
    "image registration. IEEE TMI 29(1), 2010."
)
IMPACT = (
    "V. Boussot et al.: IMPACT: a generic semantic loss for multimodal medical image registration. arXiv 2503.24121, "
    "2025."
)
SPLINE = (
    "D. Rueckert, L. I. Sonoda, C. Hayes, D. L. G. Hill, M. O. Leach, D. J. Hawkes: Nonrigid registration using "
    "free-form deformations. IEEE TMI 18(8), 1999."
)
ASGD = (
    "S. Klein, J. P. W. Pluim, M. Staring, M. A. Viergever: Adaptive stochastic gradient descent optimisation for "
    "image registration. IJCV 81(3), 2009."
)
MATTES = (
    "D. Mattes, D. R. Haynor, H. Vesselle, T. K. Lewellen, W. Eubank: PET-CT image registration in the chest using "
    "free-form deformations. IEEE TMI 22(1), 2003."
)
LBFGS = "J. Nocedal: Updating quasi-Newton matrices with limited storage. Mathematics of Computation 35(151), 1980."
ADAM = "D. P. Kingma, J. Ba: Adam: a method for stochastic optimization. ICLR 2015."
STUDHOLME = (
    "C. Studholme, D. L. G. Hill, D. J. Hawkes: An overlap invariant entropy measure of 3D medical image alignment. "
    "Pattern Recognition 32(1), 1999."
)


def references_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The papers behind the components that the run's stages used, each once."""
    found = [ELASTIX]
    for stage in record.get("stages", []):
        found += _of_stage(stage["plan"])
    return tuple(dict.fromkeys(found))


def _of_stage(plan: Mapping[str, Any]) -> Iterator[str]:
    if "BSpline" in str(plan.get("transform", {}).get("kind", "")):
        yield SPLINE
    for level in plan.get("levels", []):
        for term in level["terms"]:
            yield from _of_metric(term["metric"])
        yield from _of_optimizer(level["optimizer"])


def _of_metric(metric: Mapping[str, Any]) -> Iterator[str]:
    if "fixed_models" in metric:
        yield IMPACT
        for model in (*metric["fixed_models"], *metric["moving_models"]):
            yield from _of_model(model["path"])
    elif metric.get("kind") == "Mattes":
        yield MATTES
    elif metric.get("kind") == "Normalized":
        yield STUDHOLME


def _of_model(path: str) -> Iterator[str]:
    try:
        family = FAMILIES[find_entry("/".join(path.replace("\\", "/").rsplit("/", 2)[-2:])).family]
    except ModelError:
        return
    yield f"{family.title}: {family.citation}"


def _of_optimizer(optimizer: Mapping[str, Any]) -> Iterator[str]:
    if "sigmoid_max" in optimizer:
        yield ASGD
    elif "memory" in optimizer:
        yield LBFGS
    elif "learning_rate" in optimizer:
        yield ADAM
