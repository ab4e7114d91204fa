"""`python -m benchmarks.peers`: ours and other programs on the same real pairs, by a judge that belongs to none.

Every engine runs in a process of its own and hands over a displacement field, which numpy and SimpleITK judge by
landmarks, segmentations or a reference transform. What was run before is not run again. Writes OUT/peers.md and
OUT/peers.json.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path

from .engines import ENGINES, Settings, register, version
from .judge import no_displacement, read_field, score
from .pairs import DATA, PAIRS, STANDARD
from .process import FailedError
from .table import Result, markdown

CACHE = Path.home() / ".cache" / "elastix-impact" / "peers"


def main() -> None:
    """Run what is asked for and write the table."""
    arguments = _arguments()
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is absent: the benchmark needs the shared images")
    for pair in arguments.pairs:
        for engine in arguments.engines:
            for seed in arguments.seeds:
                settings = Settings(seed, arguments.threads, arguments.ours_preset, arguments.limit, arguments.envs)
                result = _one(pair, engine, settings, arguments.out, arguments.again)
                print(_line(result), flush=True)
                _write_tables(arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--pairs", type=_names(PAIRS), default=list(STANDARD), help=f"with commas between, of "
                        f"{', '.join(STANDARD)} (default: all these), or any hippocampus_FIXED_MOVING")  # fmt: skip
    parser.add_argument("--engines", type=_names(ENGINES), default=list(ENGINES), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=_folder, default=_folder("Peers"), help="folder of results (default: Peers)")
    parser.add_argument("--envs", type=_folder, default=CACHE, help=f"folder of the rivals' environments ({CACHE})")
    parser.add_argument("--ours-preset", default="default", metavar="NAME",
                        help="a preset; auto: what `presets recommend` names; default: that of `register`; both: rigid "
                        "where one rigid body is registered")  # fmt: skip
    parser.add_argument("--limit", type=int, default=3600, help="CPU seconds that a run may take (default: 3600)")
    parser.add_argument("--again", action="store_true", help="run again what was run before")
    return parser.parse_args()


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _names(allowed: Collection[str]) -> Callable[[str], list[str]]:
    """A parser of names with commas between."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return names

    return parse


def _one(name: str, engine: str, settings: Settings, out: Path, again: bool) -> Result:
    """The result of one run, from an earlier time if there is one."""
    pair = PAIRS[name]
    before = score(pair, no_displacement(pair)).value
    result = Result(name, engine, settings.seed, settings.threads, "", pair.truth.unit, before)
    try:
        result = replace(result, version=version(engine, settings))
    except FailedError as failed:
        return replace(result, reason=str(failed))
    known = out / "results" / name / f"{engine}_seed{result.seed}_threads{result.threads}_{result.version}.json"
    earlier = Result(**json.loads(known.read_text(encoding="utf-8"))) if known.exists() else result
    if earlier.after is not None and not again:
        known.touch()
        return earlier
    folder = out / "work" / name / engine
    shutil.rmtree(folder, ignore_errors=True)
    try:
        cost, field = register(engine, pair, settings, folder)
        found = score(pair, read_field(field))
        result = replace(result, after=found.value, parts=found.parts, folded=found.folded, **asdict(cost))
        field.unlink()
    except (FailedError, ValueError) as failed:
        result = replace(result, reason=str(failed))
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    return result


def _write_tables(out: Path) -> None:
    """Of every pair, engine, seed and number of threads the latest result."""
    latest = {}
    for path in sorted(out.glob("results/*/*.json"), key=lambda path: path.stat().st_mtime):
        result = Result(**json.loads(path.read_text(encoding="utf-8")))
        latest[result.pair, result.engine, result.seed, result.threads] = result
    pairs = list(PAIRS)
    results = sorted(latest.values(), key=lambda r: (pairs.index(r.pair), r.threads, ENGINES.index(r.engine), r.seed))
    (out / "peers.md").write_text(markdown(results), encoding="utf-8")
    (out / "peers.json").write_text(
        json.dumps([asdict(result) for result in results], indent=1) + "\n", encoding="utf-8"
    )


def _line(result: Result) -> str:
    """A run in one line."""
    head = f"{result.pair} {result.engine} seed {result.seed}:"
    if result.after is None:
        return f"{head} - ({result.reason})"
    return (
        f"{head} {result.before:.3f} -> {result.after:.3f} {result.unit}, folded {result.folded:.2%}, "
        f"{result.cpu_s:.1f} CPU s, {result.wall_s:.1f} s, {result.peak_mib:.0f} MiB"
    )


if __name__ == "__main__":
    main()
