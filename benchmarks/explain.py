"""How complete, how true and how quick explanations are, and how long a map takes.

Usage: OMP_NUM_THREADS=1 python benchmarks/explain.py [--model mp-crystal] [--n 40] [--map 0] [--seed 0] [--data FOLDER]
Test crystals that the model has not seen. Completeness as in `explain`. Truth: the change of the prediction when one
atom becomes the mean element, or one bond vanishes, and everything else stays (occlusion); a method is as true as the
sizes that it gives are ranked like those changes (Spearman, mean over crystals and properties with four parts that
differ).
Times are CPU times of one thread. --map also times the map of that many crystals.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from matwright.api.explain import Explainer, load_explainer
from matwright.api.map import map_to_folder
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.explain.agreement import agreement
from matwright.explain.maps import Projection
from matwright.explain.probe import Channel, Probe
from matwright.explain.subject import Subject
from matwright.graphs.builder import build_graph
from matwright.materials.material import Structure
from matwright.training.compute import fast_mode

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
TABLE = "mp_crystals.csv.gz"
AT_ONCE = 4096  # atoms in one evaluation


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="mp-crystal")
    options.add_argument("--n", type=int, default=40)
    options.add_argument("--map", type=int, default=0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--data", type=Path, default=DATA)
    given = options.parse_args()
    explain(load_explainer(given.model), list(test_crystals(given.data, given.n, given.seed)))
    if given.map:
        time_map(given.model, given.data, given.map, given.seed)


def test_crystals(data: Path, n: int, seed: int) -> Iterator[Structure]:
    rows = [
        row for row in open_source(data / TABLE, structure="cif", split_column="split").rows() if row.part == "test"
    ]
    for index in np.sort(np.random.default_rng(seed).permutation(len(rows))[:n]):
        yield parse_row(rows[index])


def explain(explainer: Explainer, crystals: list[Structure]) -> None:
    explainer.explain(crystals[0])  # warm
    seconds, errors, steps = [], [], []
    truth: dict[tuple[str, str], list[float]] = defaultdict(list)
    for crystal in crystals:
        start = time.process_time()
        explanation = explainer.explain(crystal)
        seconds.append(time.process_time() - start)
        changes = occluded(explainer, crystal, explanation.explained.bonds.slots)
        for column, found in enumerate(explanation.explained.attributions):
            errors.append(found.completeness_error)
            steps.append(found.steps)
            sizes = (
                ("atoms", found.contributions.atoms, found.saliency.atoms, explanation.explained.attention_atoms),
                ("bonds", found.contributions.bonds, found.saliency.bonds, explanation.explained.attention_bonds),
            )
            for part, gradients, saliency, attention in sizes:
                methods = {
                    "truth": changes[part][:, column],
                    "integrated gradients": gradients,
                    "saliency": saliency,
                    "attention": attention,
                }
                for (first, second), value in agreement(methods).items():
                    if first == "truth" and value is not None:
                        truth[second, part].append(value)
    n_atoms = np.mean([len(crystal) for crystal in crystals])  # type: ignore[arg-type]
    print(f"{len(crystals)} test crystals of {n_atoms:.1f} atoms, {len(explainer.properties)} properties")
    print(f"seconds a crystal: median {np.median(seconds):.2f}, longest {max(seconds):.2f}")
    print(
        f"completeness error: median {100 * np.median(errors):.2g} %, 95 % within "
        f"{100 * np.quantile(errors, 0.95):.2g} %, largest {100 * max(errors):.2g} %; "
        f"points on the path: median {np.median(steps):.0f}, most {max(steps)}"
    )
    for (method, part), values in truth.items():
        print(f"rank correlation with occlusion over the {part}: {method} {np.mean(values):.2f} (n = {len(values)})")


def occluded(explainer: Explainer, crystal: Structure, slots: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """(n_parts, n_properties) changes of the prediction without one atom's element, and without one bond."""
    subject = Subject(graph=build_graph(crystal, explainer.graph_settings))
    parts: dict[str, list[NDArray[np.float64]]] = {"atoms": [], "bonds": []}
    with fast_mode(), torch.no_grad():
        for member in explainer.members:
            probe = Probe(member, subject, explainer.elements)
            inputs = dict(zip(probe.channels, probe.inputs, strict=True))
            mean = dict(zip(probe.channels, probe.reference, strict=True))[Channel.NODES]
            n_atoms, n_bonds = len(subject.graph), slots.max() + 1
            keep = 1.0 - torch.eye(n_atoms, dtype=mean.dtype)[:, :, None]
            nodes = inputs[Channel.NODES] * keep + mean * (1.0 - keep)
            parts["atoms"].append(changes(probe, {Channel.NODES: nodes}))
            present = torch.from_numpy(slots != np.arange(n_bonds)[:, None]).to(mean.dtype)
            weights = inputs[Channel.WEIGHTS] * present.view(n_bonds, *inputs[Channel.WEIGHTS].shape[1:])
            parts["bonds"].append(changes(probe, {Channel.WEIGHTS: weights}))
    return {name: np.mean(values, axis=0) for name, values in parts.items()}


def changes(probe: Probe, replaced: dict[Channel, torch.Tensor]) -> NDArray[np.float64]:
    whole = probe(*probe.inputs)
    copies = len(next(iter(replaced.values())))
    step = max(1, AT_ONCE // len(probe.subject.graph))
    found = []
    for start in range(0, copies, step):
        chunk = {channel: tensor[start : start + step] for channel, tensor in replaced.items()}
        n = len(next(iter(chunk.values())))
        pairs = zip(probe.channels, probe.inputs, strict=True)
        given = [chunk.get(channel, tensor.expand(n, *tensor.shape[1:])) for channel, tensor in pairs]
        found.append((whole - probe(*given)).numpy())
    return np.concatenate(found)


def time_map(model: str, data: Path, n: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        rows = open_source(data / TABLE, structure="cif").rows()
        out = Path(folder) / "map"
        mapped = map_to_folder(
            model,
            rows,
            out,
            projection=Projection.TSNE,
            sample=n,
            seed=seed,
            on_reject=print,
        )
        seconds = time.process_time() - start
        page = (out / "map.html").stat().st_size / 1e6
    print(
        f"map of {len(mapped.names)} crystals: {seconds:.0f} s, {mapped.map.clusters.max()} clusters, "
        f"{100 * (mapped.map.clusters == 0).mean():.0f} % in none; the page has {page:.1f} MB"
    )


if __name__ == "__main__":
    main()
