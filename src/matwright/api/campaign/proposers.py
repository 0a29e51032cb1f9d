"""Who proposes: a pool of given crystals, or a generator that draws anew for each round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from matwright.api.campaign.settings import ProposerSettings
from matwright.api.generate import load_generator, propose
from matwright.api.screen.inputs import Inputs, read_crystals
from matwright.campaign.store.address import structure_hash
from matwright.data.record import Rejection
from matwright.errors import CalculationError, InputError
from matwright.generation.baselines.demands import formula_reason
from matwright.generation.interface import Candidate, Generator
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.interop import amounts
from matwright.materials.symmetry import site_symmetry
from matwright.rng import derive_seed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A crystal that may become a candidate: its address, and where it comes from in words of JSON."""

    address: str
    crystal: Crystal
    origin: Mapping[str, object]


class Proposer(Protocol):
    """A source of proposals."""

    def propose(self, round_number: int, known: Sequence[Crystal], best: Sequence[Crystal]) -> list[Proposal]:
        """The proposals of a round, each structure once.

        Args:
            round_number: the same round, with the same candidates, gives the same proposals.
            known: the candidates so far, which are not to be proposed again.
            best: the best of them, the very best first.
        """
        ...


@final
class PoolProposer:
    """The crystals of files and tables, the same for every round; those that break the constraints are left out."""

    def __init__(
        self,
        settings: ProposerSettings,
        constraints: Constraints,
        on_reject: Callable[[Rejection], None] = lambda _: None,
    ) -> None:
        inputs = Inputs(paths=settings.pool, structure=settings.structure, id_column=settings.id_column)
        named, rejections = read_crystals(inputs)
        for rejection in rejections:
            on_reject(rejection)
        found: dict[str, Proposal] = {}
        for name, crystal in named:
            if fits(crystal, constraints):
                address = structure_hash(crystal)
                origin = {"proposer": "pool", "id": name}
                found.setdefault(address, Proposal(address=address, crystal=crystal, origin=origin))
        self._proposals = list(found.values())

    def propose(self, round_number: int, known: Sequence[Crystal], best: Sequence[Crystal]) -> list[Proposal]:  # noqa: ARG002 (a pool does not change)
        """All that are not known."""
        addresses = {structure_hash(crystal) for crystal in known}
        return [proposal for proposal in self._proposals if proposal.address not in addresses]


@final
class GeneratorProposer:
    """Fresh crystals of a generator for each round, each formula with space group and orbits once."""

    def __init__(
        self, settings: ProposerSettings, constraints: Constraints, seed: int, generator: Generator | None = None
    ) -> None:
        self._settings, self._constraints, self._seed = settings, constraints, seed
        self._generator = generator if generator is not None else load_generator(str(settings.generator))
        if settings.around_best > 0:
            _check_learned(self._generator)
        self._generator.sample(1, constraints=constraints, seed=seed)  # contradictions show before anything is stored

    def propose(self, round_number: int, known: Sequence[Crystal], best: Sequence[Crystal]) -> list[Proposal]:
        """Draw the round's candidates, some of them near the best so far where the settings say so.

        A formula with the space group and orbits of a candidate is that candidate again.
        """
        from matwright.api.design.distinct import Group, group_of
        from matwright.api.design.novelty import Library

        seed = derive_seed(self._seed, "campaign", "proposals", round_number)
        library = Library() if self._settings.novel else None
        known_groups = {group_of(crystal) for crystal in known}
        found: dict[Group, Proposal] = {}
        for candidate, near in self._drawn(seed, best):
            crystal, made = candidate.crystal, candidate.provenance
            group = group_of(crystal)
            if (
                group in found
                or group in known_groups
                or (library and not all(one.passed for one in library.verdicts(crystal, group[1])))
            ):
                continue
            parents = [*made.parents, *([near] if near else [])]
            origin = {"proposer": made.generator, "seed": made.seed, "index": made.index, "parents": parents}
            found[group] = Proposal(address=structure_hash(crystal), crystal=crystal, origin=origin)
        return list({proposal.address: proposal for proposal in found.values()}.values())

    def _drawn(self, seed: int, best: Sequence[Crystal]) -> list[tuple[Candidate, str]]:
        """(candidate, address of the one it was drawn near or "")."""
        chosen = self._settings
        near: list[tuple[Candidate, str]] = []
        for place, parent in enumerate(best[: chosen.parents]):
            near += self._near(parent, seed, place)
        rest = max(chosen.candidates - len(near), 0)
        fresh = self._generator.sample(rest, constraints=self._constraints, seed=seed) if rest else []
        return [*near, *((candidate, "") for candidate in fresh)]

    def _near(self, parent: Crystal, seed: int, place: int) -> list[tuple[Candidate, str]]:
        """Candidates drawn near one material; none where the generator could not write it, or nothing fits near it."""
        from matwright.generation.aims import Around  # heavy (torch): behind its door

        n = round(self._settings.around_best * self._settings.candidates / self._settings.parents)
        if n == 0:
            return []
        aim = Around(crystal=parent, spread=self._settings.spread)
        own = derive_seed(seed, "near", place)
        try:
            proposals = propose(self._generator, n, constraints=self._constraints, seed=own, aim=aim)
        except InputError:
            return []
        return [(proposal.candidate, structure_hash(parent)) for proposal in proposals]


def _check_learned(generator: Generator) -> None:
    """Raise InputError where a generator has no latents to draw near a material."""
    from matwright.generation.latent import LatentGenerator  # heavy (torch): behind its door

    if not isinstance(generator, LatentGenerator):
        raise InputError(
            f"{generator.name} cannot draw near a material: proposer.around_best needs a learned generator"
        )


def fits(crystal: Crystal, constraints: Constraints) -> bool:
    """Whether a crystal obeys the constraints; its number of atoms is that of the cell as given."""
    counts = amounts(crystal)
    if formula_reason(_reduced(counts), constraints):
        return False
    if not constraints.n_atoms[0] <= len(crystal) <= constraints.n_atoms[1]:
        return False
    if not constraints.space_groups:
        return True
    try:
        return site_symmetry(crystal).number in constraints.space_groups
    except CalculationError:
        return False


def _reduced(counts: Mapping[int, float]) -> dict[int, int]:
    """Whole amounts without a common divisor."""
    from math import gcd

    whole = {number: round(amount) for number, amount in counts.items()}
    divisor = gcd(*whole.values())
    return {number: amount // divisor for number, amount in whole.items()}
