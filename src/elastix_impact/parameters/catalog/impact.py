"""The IMPACT metric. Names of `indexing` "impact model" and "impact layer" end in the level's number, from 0.

A level that is not given takes level 0's values. See `resolving.impact` for the rules of counting.
"""

from functools import partial

from elastix_impact.parameters.entry import Parameter

DEFAULT_FEATURE_INTERPOLATION_ORDER = 3
"""Spline order of feature maps unless the map says otherwise: what the reference does."""

_model = partial(Parameter, component="Impact", indexing="impact model")
_layer = partial(Parameter, component="Impact", indexing="impact layer")
_level = partial(Parameter, component="Impact", indexing="level")

_OF_MODELS: tuple[Parameter, ...] = (
    _model(name="ImpactModelsPath", kind="text", aliases=("ModelsPath",), help="TorchScript files, one per model."),
    _model(
        name="ImpactDimension", kind="int", allowed=("2", "3"),
        help="Dimension of the model's input; 2 in a 3-D image: slice by slice. Default: the image's.",
    ),
    _model(
        name="ImpactNumberOfChannels", kind="int", default="1", minimum=1,
        help="Channels of the model's input; a grey image is repeated to so many, e.g. 3 for RGB networks.",
    ),
    _model(
        name="ImpactPatchSize", kind="int", minimum=0,
        help="Voxels x y (z) that the model sees at once. Static: tile, 0 = whole image. Jacobian: around each sample.",
    ),
    _model(
        name="ImpactVoxelSize", kind="float", above=0,
        help="Grid in mm on which the model sees the image. Static: per axis of the image; Jacobian: of the model.",
    ),
    _model(
        name="ImpactLayersMask", kind="text", default="1",
        help='Which outputs of the model are compared: a 0 or 1 for each, e.g. "01".',
    ),
)  # fmt: skip


def _of_one_image(shared: Parameter, image: str) -> Parameter:
    """The parameter that goes before `shared` for one image."""
    stem = shared.name.removeprefix("Impact")
    return _model(
        name=f"Impact{image}{stem}", kind=shared.kind, allowed=shared.allowed, minimum=shared.minimum,
        above=shared.above,
        aliases=(f"{image}{stem}",) if stem == "ModelsPath" else (), default=shared.default,
        help=f"{shared.name} for the {image.lower()} image's own models.",
    )  # fmt: skip


IMPACT_PARAMETERS: tuple[Parameter, ...] = (
    *_OF_MODELS,
    *(_of_one_image(shared, "Fixed") for shared in _OF_MODELS),
    *(_of_one_image(shared, "Moving") for shared in _OF_MODELS),
    _layer(
        name="ImpactSubsetFeatures", kind="int", default="32", minimum=1,
        help="Channels drawn at random per iteration, per selected layer; more than there are = all.",
    ),
    _layer(
        name="ImpactPCA", kind="int", default="0", minimum=0,
        help="Principal components kept of the features, per selected layer; 0 = off. Static only.",
    ),
    _layer(
        name="ImpactDistance", kind="text", default="L2",
        allowed=("L1", "L2", "Cosine", "L1Cosine", "Dice", "NCC", "DotProduct", "GaussianMI"),
        help="How features are compared, per selected layer; GaussianMI: where contrast differs.",
    ),
    _layer(
        name="ImpactLayersWeight", kind="float", default="1", minimum=0, help="Weight in the sum, per selected layer."
    ),
    _layer(
        name="ImpactFeatureNormalization", kind="text", effect=False,
        help="A newer backend's normalisation of features. Not available in this version.",
    ),
    _level(
        name="ImpactNormalizeLosses", kind="bool", effect=False,
        help="A newer backend's normalisation of the losses. Not available in this version.",
    ),
    _level(
        name="ImpactMode", kind="text", default="Jacobian", allowed=("Static", "Jacobian"),
        help="Static: features of the whole images, once per level. Jacobian: of a patch around each sample.",
    ),
    _level(
        name="ImpactGPU", kind="int", default="-1", minimum=-1,
        help="CUDA device that the map asks for, -1 = CPU; --device goes before it.",
    ),
    _level(
        name="ImpactUseMixedPrecision", kind="bool", default="false",
        help="Whether models multiply in 16 bits: faster, features change by about 0.5 %.",
    ),
    _level(
        name="ImpactLatticeSpacing", kind="float", default="0", minimum=0,
        help="Static: features are compared at all points of a lattice, so many mm apart, along the control points, "
        "instead of at samples; 0: at samples (ours, not the reference's).",
    ),
    _level(
        name="ImpactMargin", kind="int", default="0", minimum=0,
        help="Static: by so many of the models' voxels the moving image is surrounded with its lowest value before its "
        "features are extracted: its end is then like nothing in the fixed image, and leaving it costs (ours, not the "
        "reference's).",
    ),
    _level(
        name="ImpactFeaturesMapUpdateInterval", kind="int", default="-1", minimum=-1,
        help="Static: iterations between updates of the moving features, -1 = once per level.",
    ),
    _level(
        name="ImpactFeatureMapOutputDirectory", kind="text", default="false", aliases=("ImpactWriteFeatureMaps",),
        help='Static: folder to write model inputs and feature maps to, "false" = none.',
    ),
    _level(
        name="ImpactFeatureInterpolationOrder", kind="int", default=str(DEFAULT_FEATURE_INTERPOLATION_ORDER),
        allowed=("1", "3"), help="Static: spline order of feature maps: 3, the reference's, is accurate, 1 faster.",
    ),
    _level(
        name="ImpactJacobianGradient", kind="text", default="Exact", allowed=("Exact", "Center"),
        help="Jacobian: the transform's derivative at every patch point, or at the centre only as in the reference.",
    ),
)  # fmt: skip
