"""What a property model says of crystals far above the hull: errors, and how many unstable ones it calls stable.

    python benchmarks/off_hull.py predictor.csv.gz off_hull.csv.gz --model mp-crystal [--model OLD_FOLDER]

The first table is that of `scripts/build_predictor_table.py`, the second that of `scripts/build_off_hull_table.py`.
Judged are the rows of the test part: Materials Project beside crystals relaxed with CHGNet, these by the generator
they came from. "Called stable": predicted within 0.1 eV/atom of the hull, of those that CHGNet (MP2020 corrections)
places more than 0.2 above it; "missed": predicted further than 0.1, of those within 0.05. "AUC": how well
the predicted distance tells those beyond 0.1 from the others. CHGNet is the truth here, it errs by some 0.03 eV/atom
itself. "Spearman" is that of errors and predicted standard deviations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from matwright.api.predict import load_predictor
from matwright.data.hull import Hull
from matwright.evaluation.metrics import area_under_roc, rank_correlation
from matwright.materials.interop import amounts, from_cif
from matwright.materials.silence import quiet_warnings
from matwright.runs import provenance
from matwright.training.compute import fast_mode

LIMIT, CLEAR, NEAR = 0.1, 0.2, 0.05
"""eV/atom: of being called stable, of being clearly unstable, of being clearly stable."""
OWN = ("mp-generator", "random", "ion-exchange")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("off_hull", type=Path)
    parser.add_argument("--model", action="append", help="shipped model or run folder; may be repeated")
    parser.add_argument("--rows", type=int, default=1000, help="of the Materials Project")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.read_csv(options.table)
    table = table[(table.split == "test") & table.formation_energy_per_atom.notna()]
    far = pd.read_csv(options.off_hull)
    above = dict(zip("chgnet-" + far.id, far.e_above_hull, strict=True))
    origin = dict(zip("chgnet-" + far.id, far.source, strict=True))
    names = [origin.get(name, "Materials Project") for name in table.id]
    table["origin"] = [name if name in (*OWN, "Materials Project") else "tuned generators" for name in names]
    table["above"] = [above.get(name, np.nan) for name in table.id]
    groups = dict(iter(table.groupby("origin")))
    groups["Materials Project"] = groups["Materials Project"].sample(frac=1, random_state=0)[: options.rows]
    print(f"commit {provenance()['commit']}; test parts; eV/atom")
    print("| model | origin | n | MAE, formation energy | coverage of 90 % | Spearman | AUC | called stable | missed |")
    print("|---|---|---|---|---|---|---|---|---|")
    with fast_mode(), quiet_warnings():
        for model in options.model or ["mp-crystal"]:
            for name, some in groups.items():
                print(_row(model, str(name), some), flush=True)


def _row(model: str, origin: str, rows: pd.DataFrame) -> str:
    crystals = [from_cif(text) for text in rows.cif]
    found = load_predictor(model).predict(crystals)["formation_energy_per_atom"]
    truth = rows.formation_energy_per_atom.to_numpy()
    inside = (found.lower <= truth) & (truth <= found.upper)
    cells = [Path(model).name, origin, str(len(rows)), f"{np.abs(found.mean - truth).mean():.3f}"]
    cells += [f"{100 * inside.mean():.0f} %", f"{rank_correlation(np.abs(found.mean - truth), found.std):.2f}"]
    above = rows.above.to_numpy()
    if np.isnan(above).all():
        return f"| {' | '.join([*cells, '', '', ''])} |"
    hull = Hull.load()
    pairs = zip(crystals, found.mean.tolist(), strict=True)
    told = np.array([hull.energy_above_hull(amounts(crystal), energy) for crystal, energy in pairs])
    far, near = above > CLEAR, above < NEAR
    cells.append(f"{area_under_roc((above > LIMIT).astype(np.int64), told):.2f}")
    cells.append(f"{int((told[far] <= LIMIT).sum())} of {int(far.sum())}")
    cells.append(f"{int((told[near] > LIMIT).sum())} of {int(near.sum())}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
