"""How fast a trained property model predicts: one crystal at a time, and many from a store.

Usage: OMP_NUM_THREADS=1 python benchmarks/prediction.py [--model mp-crystal] [--n 10000] [--data FOLDER]
Times are CPU times of one thread, so that a busy machine counts only through its caches; "one crystal" runs from the
parsed crystal to the printed numbers, warm.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from matwright.api.predict import load_predictor
from matwright.api.predict_files import prediction_rows
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.graphs.builder import build_graph
from matwright.graphs.store import pack

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DISTINCT = 2000  # crystals that are read; a larger store repeats them
SINGLE = 300
RUNS = 5


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="mp-crystal")
    options.add_argument("--n", type=int, default=10_000)
    options.add_argument("--data", type=Path, default=DATA)
    given = options.parse_args()
    predictor = load_predictor(given.model)
    rows = open_source(given.data / "mp_crystals.csv.gz", structure="cif").rows()
    crystals = [parse_row(row) for row, _ in zip(rows, range(DISTINCT), strict=False)]
    predictor.predict(crystals[:64])  # warm

    single = []
    for crystal in crystals[:SINGLE]:
        start = time.process_time()
        list(prediction_rows(["one"], predictor.predict([crystal])))
        single.append(1000 * (time.process_time() - start))
    middle, slow = np.quantile(single, [0.5, 0.95])
    print(f"one crystal: median {middle:.2f} ms, 95 % within {slow:.2f} ms ({SINGLE} crystals)")

    graphs = [build_graph(crystal, predictor.graph_settings) for crystal in crystals]
    store = pack(graphs, settings=predictor.graph_settings)
    chosen = np.arange(given.n) % len(store)
    rates = []
    for _ in range(RUNS):
        start = time.process_time()
        predictor.predict_store(store, chosen)
        rates.append(given.n / (time.process_time() - start))
    print(
        f"{given.n} from a store: median {np.median(rates):,.0f}/s, {min(rates):,.0f} to {max(rates):,.0f}/s "
        f"({RUNS} runs; mean {np.mean([len(crystal) for crystal in crystals]):.1f} atoms)"
    )


if __name__ == "__main__":
    main()
