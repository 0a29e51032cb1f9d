"""The table of commands: what `matwright --help` shows without loading any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: the function `name` of the module `matwright.cli.<name>`.

    Attributes:
        name: the word on the command line.
        summary: one line for `matwright --help`.
        example: arguments that stand at the end of the command's help; they must parse.
        resumes: whether the command has `--resume`.
    """

    name: str
    summary: str
    example: str
    resumes: bool = False


COMMANDS = (
    Command(
        name="train",
        summary="Train a property model on a table of structures.",
        example=(
            "matwright train crystals.csv --structure cif --target formation_energy_per_atom:eV/atom "
            "--out my-model --minutes 10"
        ),
        resumes=True,
    ),
    Command(
        name="tune",
        summary="Search the training settings that suit a table: rate, width, layers, dropout.",
        example=(
            "matwright tune crystals.csv --structure cif --target band_gap:eV --trials 30 --minutes 1 --out tuned"
        ),
        resumes=True,
    ),
    Command(
        name="predict",
        summary="Predict properties of structure files, each with its interval and domain score.",
        example="matwright predict mp-crystal NaCl.cif Si.vasp --out predictions.csv",
    ),
    Command(
        name="explain",
        summary="Say what predictions rest on: atoms, bonds, elements, conditions.",
        example="matwright explain mp-crystal NaCl.cif --property band_gap --out explained",
    ),
    Command(
        name="map",
        summary="Draw the materials of a table as a model sees them: clusters, outliers.",
        example="matwright map mp-crystal crystals.csv --structure cif --sample 5000 --out crystal-map",
    ),
    Command(
        name="match",
        summary="Rank the crystals of a library by how well they explain a measured powder pattern.",
        example="matwright match pattern.xy --wavelength CuKa --elements Na,Cl --out matched",
    ),
    Command(
        name="info",
        summary="List the shipped models, or show what one model is, knows and was tested on.",
        example="matwright info mp-crystal",
    ),
    Command(
        name="rules",
        summary="Judge structures and formulas by the rules of chemistry, each verdict with reason and source.",
        example="matwright rules NaCl.cif SrTiO3 CoCrFeMnNi --out verdicts.csv",
    ),
    Command(
        name="distill",
        summary="Repeat a model's predictions by a few short formulas, each with its errors.",
        example="matwright distill mp-crystal crystals.csv --structure cif --property bulk_modulus --out formulas",
        resumes=True,
    ),
    Command(
        name="compress",
        summary="Train a smaller student of a model, and measure what it costs and saves.",
        example=(
            "matwright compress mp-crystal crystals.csv --structure cif --split-column split --minutes 8 --out student"
        ),
        resumes=True,
    ),
    Command(
        name="generate",
        summary="Propose new crystals: with given elements, formula and symmetry, near a material, or for a target.",
        example="matwright generate mp-generator -n 100 --elements Li,P,S,O --seed 0 --out proposals",
        resumes=True,
    ),
    Command(
        name="optimise",
        summary="Teach a generator by reinforcement to propose crystals that meet targets.",
        example=(
            'matwright optimise mp-generator --target "bulk_modulus>=300 GPa" --steps 40 --algorithm ppo --out hard'
        ),
        resumes=True,
    ),
    Command(
        name="evaluate",
        summary="Measure generated crystals: validity, uniqueness, novelty, coverage of a reference, stability.",
        example="matwright evaluate proposals --reference shipped --out evaluated",
        resumes=True,
    ),
    Command(
        name="readiness",
        summary="Say what the models know of a target, how accurate they are there, and what is known nearby.",
        example='matwright readiness --target "bulk_modulus>=200 GPa" --exclude Pb,Cd,Hg',
    ),
    Command(
        name="screen",
        summary="Send crystals up one cascade of physics, from cheap rules to potentials; every verdict is kept.",
        example='matwright screen candidates/ --target "bulk_modulus>=100 GPa" --thresholds filter.toml --out screened',
        resumes=True,
    ),
    Command(
        name="design",
        summary="Go from wanted properties to a ranked short list of relaxed candidates with evidence.",
        example=(
            'matwright design --target "bulk_modulus>=200 GPa" --minimise e_above_hull --exclude Pb,Cd,Hg '
            "--budget 200 --out hard-materials"
        ),
        resumes=True,
    ),
    Command(
        name="campaign",
        summary="Search for days, losing nothing: propose, filter, evaluate, record, retrain; from one TOML file.",
        example="matwright campaign run campaign.toml",
    ),
    Command(
        name="show",
        summary="Print what a campaign's store knows of a candidate: each rung with numbers, code and settings.",
        example="matwright show NaCl --store campaign.db",
    ),
    Command(
        name="reproduce",
        summary="Compute a recorded number again from its store, and say whether it comes out equal.",
        example="matwright reproduce NaCl stability --store campaign.db",
    ),
    Command(
        name="store",
        summary="Say what is in a campaign's store, or write its records for others to read.",
        example="matwright store export campaign.db --format csv --out records.csv",
    ),
    Command(
        name="dft",
        summary="Write the inputs of a density-functional calculation, or run it.",
        example="matwright dft write NaCl.cif --settings vasp-mp-relax --out nacl-vasp",
    ),
)
