"""elastix's own metrics, ours beside itk-elastix's with the same map: time ratio and accuracy."""

import statistics
import tempfile
from pathlib import Path

from .ct_lung import Run, itk_elastix, lung_map, ours

METRICS = ("AdvancedMattesMutualInformation", "AdvancedNormalizedCorrelation", "AdvancedMeanSquares")
MAXIMUM_RATIO = 1.5
"""Our iteration over itk-elastix's; the goal is 1."""


def classic_metrics(threads: int, seeds: list[int]) -> dict[str, dict]:
    """Register the lung pair of one contrast with each metric, taking turns with itk-elastix."""
    results = {}
    for metric in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "map.txt"
            path.write_text(lung_map("mi_bspline").read_text().replace(METRICS[0], metric))
            pairs = [(ours(path, "mono", s, threads), itk_elastix(path, "mono", s, threads)) for s in seeds]
        results[metric] = _compare(metric, *zip(*pairs))
    return results


def _compare(metric: str, own: tuple[Run, ...], theirs: tuple[Run, ...]) -> dict:
    own_ms, their_ms = (statistics.median(ms for run in runs for ms in run.milliseconds) for runs in (own, theirs))
    own_tre, their_tre = (statistics.mean(run.tre_mm or 0 for run in runs) for runs in (own, theirs))
    own_wall, their_wall = (statistics.median(run.seconds for run in runs) for runs in (own, theirs))
    print(f"\n{metric}: beside itk-elastix with the same map")
    print(f"  median iteration  {own_ms:.2f} ms, {their_ms:.2f} ms: {own_ms / their_ms:.2f} (at most {MAXIMUM_RATIO})")
    print(f"  mean TRE          {own_tre:.3f} mm, {their_tre:.3f} mm")
    print(f"  whole command     {own_wall:.1f} s, {their_wall:.1f} s")
    return {"ratio": own_ms / their_ms, "ours_ms": own_ms, "itk_ms": their_ms, "tre_mm": [own_tre, their_tre]}
