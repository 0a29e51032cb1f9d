"""Equal compute: GEM-PPM and two PyG peers, same split, same CPU-seconds, one thread, denormals flushed.

    python benchmarks/equal_compute.py --seconds 60

prints one line a model: test MAE, graphs trained and predicted a second. Each model trains in a process of its own;
parsing and building graphs come before the clock starts, drawing batches and optimisation count. Needs the extra
`bench` and the table `mp_crystals.csv.gz` in the folder MATWRIGHT_DATA (default ../shared/data).

The peers are CGCNN and SchNet of PyTorch Geometric's layers (64 wide, 3 layers, 12 nearest neighbours within 8 Å,
batch 64, AdamW 1e-3 with a cosine schedule), GEM-PPM the default protocol of `matwright train`. The validation part
steers nothing: no model stops early.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from matwright.runs import provenance

MODELS = ("gem-ppm", "cgcnn", "schnet")
TARGET = "formation_energy_per_atom"
PEER_CUTOFF, PEER_NEIGHBOURS, PEER_BATCH, PEER_RATE = 8.0, 12, 64, 1e-3
DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def main() -> None:
    """Train every model in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of training a model")
    parser.add_argument("--rows", choices=("mp20", "all"), default="mp20", help="training rows; tested on mp20 rows")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    commit = provenance()["commit"] or "unknown"
    print(f"commit {commit}, seed {arguments.seed}, rows {arguments.rows}, {arguments.seconds:g} CPU-seconds each")
    context, results = multiprocessing.get_context("spawn"), []
    for name in arguments.models.split(","):
        with context.Pool(1) as pool:
            results.append(pool.apply(run, (name, arguments.seconds, arguments.rows, arguments.seed)))
        print(json.dumps(results[-1]), flush=True)
    print_table(results)


def print_table(results: list[dict[str, Any]]) -> None:
    """One line a model, then our error beside the best peer's."""
    print(f"\n{'model':10s} {'parameters':>10s} {'test MAE':>10s} {'trained/s':>10s} {'predicted/s':>11s}")
    for row in results:
        print(
            f"{row['model']:10s} {row['parameters']:10d} {row['mae']:10.4f} {row['trained']:10.0f} "
            f"{row['predicted']:11.0f}"
        )
    ours = [row["mae"] for row in results if row["model"] == "gem-ppm"]
    peers = [row["mae"] for row in results if row["model"] != "gem-ppm"]
    if ours and peers:
        print(f"gem-ppm / best peer: {ours[0] / min(peers):.2f} (MAE in eV/atom on {results[0]['tested']} crystals)")


def run(name: str, seconds: float, rows: str, seed: int) -> dict[str, Any]:
    """Train and test one model in this process."""
    import torch

    from matwright.training.compute import keep_freed_memory

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    torch.manual_seed(seed)
    train, test = _parts(rows)
    result = (train_ours if name == "gem-ppm" else train_peer)(name, train, test, seconds, seed)
    return {"model": name, "tested": len(test), **result}


def _parts(rows: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.read_csv(DATA / "mp_crystals.csv.gz", usecols=["source", "split", TARGET, "cif"])
    train = table[(table.split == "train") & ((table.source == "mp20") | (rows == "all"))]
    return train, table[(table.split == "test") & (table.source == "mp20")]


def _result(model: Any, spent: float, records: int, predicting: float, errors: np.ndarray) -> dict[str, Any]:
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained": records / spent,
        "predicted": len(errors) / predicting,
        "mae": float(np.abs(errors).mean()),
        "records": records,
    }


def train_ours(_: str, train: pd.DataFrame, test: pd.DataFrame, seconds: float, seed: int) -> dict[str, Any]:
    """GEM-PPM with the default protocol of `matwright train`."""
    import torch

    from matwright.graphs.builder import build_graph
    from matwright.graphs.ragged import Labels
    from matwright.graphs.store import pack
    from matwright.materials.interop import from_cif
    from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
    from matwright.models.gem_ppm import GemPpm
    from matwright.training.fit import FitData, fit
    from matwright.training.settings import protocol

    config = GemPpmConfig(heads=(HeadConfig(name=TARGET, kind=HeadKind.POINT),))
    centre, scale = float(train[TARGET].mean()), float(train[TARGET].std())
    graphs = [build_graph(from_cif(text), config.graph) for text in [*train.cif, *test.cif]]
    values = np.array([*train[TARGET], *test[TARGET]])[:, None]
    labels = Labels.of_targets((values - centre) / scale)
    store = pack(graphs, labels=labels, target_names=(TARGET,), settings=config.graph)
    torch.manual_seed(seed)
    model = GemPpm(config)
    indices = np.arange(len(train))
    settings = replace(protocol("default", minutes=seconds / 60).settings, save_seconds=1e9)
    with tempfile.TemporaryDirectory() as folder:
        data = FitData(source=store, train=indices, validation=indices[:0])
        result = fit(model, data, settings, folder=Path(folder), seed=seed)
    start, outputs = time.process_time(), []
    with torch.inference_mode():
        for first in range(len(train), len(graphs), 64):
            outputs.append(model(store.batch(np.arange(first, min(first + 64, len(graphs))))))
    predicting = time.process_time() - start
    errors = torch.cat(outputs)[:, 0].numpy() * scale + centre - values[len(train) :, 0]
    records = round(result.records_per_second * result.seconds)
    return _result(model, result.seconds, records, predicting, errors)


def train_peer(name: str, train: pd.DataFrame, test: pd.DataFrame, seconds: float, seed: int) -> dict[str, Any]:
    """A peer of PyTorch Geometric's layers."""
    import torch
    from torch_geometric.data import Batch

    inputs, held_out = _peer_graphs(train), _peer_graphs(test)
    truth = torch.tensor(train[TARGET].to_numpy(), dtype=torch.float32)
    centre, scale = truth.mean(), truth.std()
    torch.manual_seed(seed)
    model = _peer(name)
    optimiser = torch.optim.AdamW(model.parameters(), PEER_RATE)
    start, records, progress = time.process_time(), 0, 0.0
    model.train()
    while progress < 1:
        order = torch.randperm(len(inputs))
        for first in range(0, len(inputs) - PEER_BATCH + 1, PEER_BATCH):
            chosen = order[first : first + PEER_BATCH].tolist()
            output = model(Batch.from_data_list([inputs[index] for index in chosen]))
            loss = (output - (truth[chosen] - centre) / scale).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            records += PEER_BATCH
            progress = (time.process_time() - start) / seconds
            for group in optimiser.param_groups:
                group["lr"] = PEER_RATE * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) + 1e-6
            if progress >= 1:
                break
    spent = time.process_time() - start
    model.eval()
    start, outputs = time.process_time(), []
    with torch.inference_mode():
        for first in range(0, len(held_out), PEER_BATCH):
            outputs.append(model(Batch.from_data_list(held_out[first : first + PEER_BATCH])))
    predicting = time.process_time() - start
    errors = (torch.cat(outputs) * scale + centre).numpy() - test[TARGET].to_numpy()
    return _result(model, spent, records, predicting, errors)


def _peer_graphs(table: pd.DataFrame) -> list[Any]:
    import torch
    from torch_geometric.data import Data

    from matwright.materials.interop import from_cif, to_pymatgen

    graphs = []
    for text in table.cif:
        structure = to_pymatgen(from_cif(text))
        centre, neighbour, _, distance = structure.get_neighbor_list(PEER_CUTOFF)
        order = np.lexsort((distance, centre))
        centre, neighbour, distance = centre[order], neighbour[order], distance[order]
        rank = np.arange(len(centre)) - np.searchsorted(centre, centre)
        near = rank < PEER_NEIGHBOURS
        graphs.append(
            Data(
                z=torch.tensor(structure.atomic_numbers),
                edge_index=torch.tensor(np.stack([neighbour[near], centre[near]])),
                dist=torch.tensor(distance[near], dtype=torch.float32),
                num_nodes=len(structure),
            )
        )
    return graphs


def _peer(name: str) -> Any:
    import torch
    from torch import nn
    from torch_geometric.nn import CGConv, global_mean_pool
    from torch_geometric.nn.models.schnet import InteractionBlock

    class Peer(nn.Module):
        """Embedding, three layers, mean over atoms, two dense layers."""

        def __init__(self, gaussians: int) -> None:
            super().__init__()
            self.embed = nn.Embedding(101, 64)
            self.register_buffer("centres", torch.linspace(0, PEER_CUTOFF, gaussians))
            self.sharpness = (gaussians / PEER_CUTOFF) ** 2
            if name == "cgcnn":
                self.layers = nn.ModuleList(CGConv(64, gaussians, batch_norm=True) for _ in range(3))
                self.out = nn.Sequential(nn.Linear(64, 128), nn.Softplus(), nn.Linear(128, 1))
            else:
                self.layers = nn.ModuleList(InteractionBlock(64, gaussians, 64, PEER_CUTOFF) for _ in range(3))
                self.out = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

        def forward(self, batch: Any) -> torch.Tensor:
            nodes = self.embed(batch.z)
            edges = torch.exp(-self.sharpness * (batch.dist[:, None] - self.centres) ** 2)
            for layer in self.layers:
                if name == "cgcnn":
                    nodes = layer(nodes, batch.edge_index, edges)
                else:
                    nodes = nodes + layer(nodes, batch.edge_index, batch.dist, edges)
            return self.out(global_mean_pool(nodes, batch.batch)).squeeze(-1)

    return Peer(gaussians=40 if name == "cgcnn" else 50)


if __name__ == "__main__":
    main()
