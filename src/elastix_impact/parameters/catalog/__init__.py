"""Every parameter that maps use: type, default, rule, how its values are counted, and a sentence of help."""

from elastix_impact.parameters.entry import Parameter

from .components import COMPONENT_PARAMETERS
from .frame import FRAME_PARAMETERS
from .impact import IMPACT_PARAMETERS
from .metric import METRIC_PARAMETERS
from .optimizer import OPTIMIZER_PARAMETERS
from .other import OTHER_PARAMETERS
from .output import OUTPUT_PARAMETERS
from .pyramid import PYRAMID_PARAMETERS
from .sampler import SAMPLER_PARAMETERS
from .transform import TRANSFORM_PARAMETERS

CATALOG: dict[str, Parameter] = {
    parameter.name: parameter
    for group in (
        COMPONENT_PARAMETERS,
        FRAME_PARAMETERS,
        IMPACT_PARAMETERS,
        METRIC_PARAMETERS,
        OPTIMIZER_PARAMETERS,
        OTHER_PARAMETERS,
        OUTPUT_PARAMETERS,
        PYRAMID_PARAMETERS,
        SAMPLER_PARAMETERS,
        TRANSFORM_PARAMETERS,
    )
    for parameter in group
}
"""By name, IMPACT's without the resolution's number."""

__all__ = ["CATALOG"]
