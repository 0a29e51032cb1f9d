"""The process of one GPAW calculation: reads `job.json`, writes `answer.json`. It imports nothing of this package.

GPAW is under the GPL and is compiled for its own environment, so it runs under its own Python: `python gpaw_job.py`.
"""

import json
import sys
from pathlib import Path
from typing import Any


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def main() -> int:
    """One single point with energy, forces, stress and the bands of each k point."""
    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    from ase import Atoms
    from gpaw import GPAW, PW, FermiDirac, KohnShamConvergenceError, Mixer, __version__

    atoms: Any = Atoms(numbers=job["numbers"], cell=job["lattice"], scaled_positions=job["frac_coords"], pbc=True)
    atoms.calc = GPAW(
        mode=PW(job["cutoff"]),
        xc=job["functional"],
        setups={"default": "paw", **job["setups"]},
        kpts={"size": job["mesh"], "gamma": True},
        occupations=FermiDirac(job["smearing"]),
        mixer=Mixer(job["mixing"], 5, 50.0),
        convergence={**job["convergence"], "bands": "CBM+0.5"},
        maxiter=job["max_steps"],
        txt="gpaw.txt",
    )
    answer: dict[str, Any] = {"version": __version__}
    try:
        energy = atoms.get_potential_energy(force_consistent=True)
        answer |= {
            "energy": energy,
            "forces": atoms.get_forces().tolist(),
            "stress": atoms.get_stress(voigt=False).tolist(),
            "eigenvalues": [atoms.calc.get_eigenvalues(k).tolist() for k in range(len(atoms.calc.get_ibz_k_points()))],
            "n_electrons": atoms.calc.get_number_of_electrons(),
        }
    except KohnShamConvergenceError as error:
        answer["not_converged"] = _first_line(error)
    except (FileNotFoundError, KeyError) as error:
        answer["no_setup"] = _first_line(error)
    except RuntimeError as error:
        near = "overlap" in str(error).lower() or "too close" in str(error).lower()
        answer["geometry" if near else "error"] = _first_line(error)
    Path("answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
