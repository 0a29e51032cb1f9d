"""The verbs around generators: load one, propose crystals with their symmetry, write them into a folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from matwright.errors import InputError
from matwright.generation.interface import Candidate, Generator
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.progress import Progress, silent
from matwright.serialization import atomic_write_text

if TYPE_CHECKING:
    from matwright.generation.aims import Aim
    from matwright.generation.layers import LayerSequence
    from matwright.generation.wyckoff import SymmetrySequence

SHIPPED_GENERATOR = "mp-generator"
_SHIPPED = Path(__file__).resolve().parent.parent / "shipped"


def load_generator(name_or_path: str | Path) -> Generator:
    """A generator by name ("mp-generator", "random", "ion-exchange") or from a folder that `train_generator` wrote.

    Raises:
        InputError: there is no generator of that name and no such folder.
    """
    name = str(name_or_path)
    if name in _BASELINES:
        return _BASELINES[name]()
    folder = _SHIPPED / name if name == SHIPPED_GENERATOR else Path(name_or_path)
    if not (folder / "model.json").is_file():
        known = ", ".join([SHIPPED_GENERATOR, *_BASELINES])
        raise InputError(f"there is no generator {name!r}: known are {known}, or the folder of a trained one")
    from matwright.generation.checkpoint import load_trained  # heavy (torch): behind its door
    from matwright.generation.latent import LatentGenerator

    trained = load_trained(folder)
    model = trained.model.encoder.config.graph_model
    if model:
        from matwright.api.graph_reader import ModelReader  # heavy (torch): behind its door

        trained = replace(trained, reader=ModelReader(model))
    return LatentGenerator(trained)


def _random() -> Generator:
    from matwright.generation.baselines.random_symmetric import RandomSymmetric  # heavy: behind its door

    return RandomSymmetric.load()


def _ion_exchange() -> Generator:
    from matwright.generation.baselines.ion_exchange import IonExchange  # heavy: behind its door

    return IonExchange.load()


_BASELINES: Mapping[str, Callable[[], Generator]] = {"random": _random, "ion-exchange": _ion_exchange}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate with its symmetry-true sequence, of a crystal or a layer; None where none could be found."""

    candidate: Candidate
    sequence: SymmetrySequence | None
    layer: LayerSequence | None = None


def propose(
    generator: Generator,
    n: int,
    *,
    constraints: Constraints = NO_CONSTRAINTS,
    seed: int = 0,
    aim: Aim | None = None,
    progress: Progress | None = None,
) -> list[Proposal]:
    """Candidates of any generator, n of them, each with its sequence.

    Args:
        generator, n, constraints, seed: as in `Generator.sample`.
        aim: `Around` a material or `Between` two; None: anywhere.
        progress: told of each candidate.

    Raises:
        InputError: the constraints contradict each other or what the generator has learned, or an aim is given to a
            generator without latents or names a material it could not write.
    """
    from matwright.generation.interface import Provenance  # heavy (torch): behind its door
    from matwright.generation.latent import LatentGenerator

    listener = progress or silent()
    listener.start("sampling crystals", n)
    if isinstance(generator, LatentGenerator):  # knows its sequences, no symmetry search needed
        samples = generator.sample_sequences(n, constraints=constraints, seed=seed, aim=aim)
        listener.advance(n)
        listener.finish()
        return [
            Proposal(
                candidate=Candidate(
                    crystal=sample.crystal, provenance=Provenance(generator=generator.name, seed=seed, index=index)
                ),
                sequence=sample.sequence,
            )
            for index, sample in enumerate(samples)
        ]
    if aim is not None:
        raise InputError(f"{generator.name} has no latents: sampling around or between materials needs a learned one")
    candidates = generator.sample(n, constraints=constraints, seed=seed)
    proposals = []
    for candidate in candidates:
        proposals.append(_with_symmetry(candidate))
        listener.advance()
    listener.finish()
    return proposals


def _with_symmetry(candidate: Candidate) -> Proposal:
    """The candidate with the sequence that its crystal or layer is found to have."""
    from matwright.errors import CalculationError
    from matwright.generation.corpus import encode_or_none  # heavy (torch, moyopy): behind its door
    from matwright.generation.layers import encode_layer

    if all(candidate.crystal.pbc):
        return Proposal(candidate=candidate, sequence=encode_or_none(candidate.crystal))
    try:
        return Proposal(candidate=candidate, sequence=None, layer=encode_layer(candidate.crystal))
    except (InputError, CalculationError):
        return Proposal(candidate=candidate, sequence=None)


def generate_folder(
    name: str,
    n: int,
    *,
    out: Path,
    constraints: Constraints = NO_CONSTRAINTS,
    seed: int = 0,
    aim: Aim | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write n candidates into a new folder: cifs/, candidates.csv and run.json; the number written comes back.

    A resumed run draws the same candidates again (the seed decides them) and writes the files that are missing.

    Raises:
        InputError: the generator is unknown, the constraints contradict each other, or the folder holds something
            else; nothing is overwritten.
    """
    from matwright.runs import RunFolder

    if n < 1:
        raise InputError(f"the number of crystals must be at least 1, found {n}")
    listener = progress or silent()
    generator = load_generator(name)
    settings = {"generator": name, "n": n, "constraints": constraints, "aim": described_aim(aim)}
    propose(generator, 0, constraints=constraints, seed=seed, aim=aim)  # refuses contradictions before a folder is made
    if resume:
        run = RunFolder.open_for_resume(out, kind="generate", settings=settings, seed=seed)
    else:
        run = RunFolder.create(out, kind="generate", settings=settings, seed=seed)
    proposals = propose(generator, n, constraints=constraints, seed=seed, aim=aim, progress=listener)
    listener.start("writing files", n)
    rows = []
    for proposal in proposals:
        row, cif = _written(proposal)
        path = run.file("cifs", f"{row['id']}.cif")
        if not path.exists():
            atomic_write_text(path, cif)
        rows.append(row)
        listener.advance()
    atomic_write_text(run.file("candidates.csv"), _table(rows))
    listener.finish()
    run.finish({"candidates": len(rows)})
    return len(rows)


def described_aim(aim: Aim | None) -> dict[str, object] | None:
    """The aim as plain JSON: formula and hash of each material, and the spread."""
    from matwright.generation.aims import Around  # heavy (torch): behind its door
    from matwright.materials.interop import reduced_formula

    if aim is None:
        return None
    crystals = [aim.crystal] if isinstance(aim, Around) else [aim.first, aim.second]
    materials = [{"formula": reduced_formula(c), "hash": c.content_hash()} for c in crystals]
    return {"kind": type(aim).__name__.lower(), "materials": materials, "spread": aim.spread}


def _written(proposal: Proposal) -> tuple[dict[str, object], str]:
    """The row of candidates.csv and the CIF of one proposal."""
    from matwright.generation.sequence_cif import sequence_to_cif
    from matwright.materials.interop import reduced_formula, to_cif

    candidate, sequence = proposal.candidate, proposal.sequence
    layered = not all(candidate.crystal.pbc)
    crystal, made = candidate.crystal, candidate.provenance
    row: dict[str, object] = {
        "id": f"{made.generator}-{made.seed}-{made.index:06d}",
        "formula": reduced_formula(crystal),
        "space_group": "" if layered else sequence.space_group if sequence is not None else 1,
        "layer_group": ("" if proposal.layer is None else proposal.layer.layer_group) if layered else "",
        "n_atoms": len(crystal),
        "volume_per_atom_A3": round(crystal.volume / len(crystal), 4),
        "generator": made.generator,
        "seed": made.seed,
        "index": made.index,
        "parents": " ".join(made.parents),
    }
    return row, sequence_to_cif(sequence) if sequence is not None else to_cif(crystal)


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
