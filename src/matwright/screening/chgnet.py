"""CHGNet energies, forces and stresses of many crystals in one pass (Deng et al., Nat. Mach. Intell. 5, 1031, 2023).

The weights and basis functions are those of the package `chgnet`; the pass is arranged for many small crystals on one
core. A layer acts on [atom, bond, atom] rows, so its first matrix is applied once an atom and once a bond, before the
rows are gathered (by `index_select`: the backward pass of an index in brackets is slow). Only bonds short enough to
carry an angle enter the three-body layers, the last angle update (which nothing reads) is left out, and one backward
pass to the bond vectors gives forces and stress together.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.screening.bonds import BondGraph, find_bonds
from matwright.screening.potential import Failure, FailureKind, PointResult

BONDS_A_PASS = 8000
"""Bonds and angles handled in one pass: much larger passes leave the core's cache and are slower."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Several crystals' bonds with running indices; tensors, float32 and int64."""

    numbers: Tensor  # (n_atoms,)
    owners: Tensor  # (n_atoms,) crystal of each atom
    bond_owners: NDArray[np.int64]  # (n_bonds,)
    first: Tensor  # (n_bonds,)
    second: Tensor  # (n_bonds,)
    vectors: Tensor  # (n_bonds, 3) Å, the leaf that forces and stress are differentiated by
    short: Tensor  # (n_short,)
    angle_atom: Tensor  # (n_angles,)
    angle_bond: Tensor  # (n_angles,)
    angle_other: Tensor  # (n_angles,)
    angle_sign: Tensor  # (n_angles,)
    sizes: NDArray[np.int64]  # (n_crystals,)


@final
class ChgnetPotential:
    """CHGNet behind the `Potential` protocol. Energies are on the Materials Project's corrected (MP2020) scale."""

    def __init__(self, model: Any, *, version: str) -> None:
        """Take a loaded `chgnet.model.CHGNet`; `load` is the usual way."""
        self._network = _Network(model)
        self._version = version

    @classmethod
    def load(cls, version: str = "0.3.0") -> ChgnetPotential:
        """Load the weights that ship inside the package `chgnet`.

        Raises:
            InputError: when the package is not installed.
        """
        try:
            from chgnet.model.model import CHGNet  # heavy: behind its door
        except ImportError as error:
            raise InputError("CHGNet is not installed: pip install 'matwright[potentials]'") from error
        with contextlib.redirect_stdout(io.StringIO()):
            model = CHGNet.load(model_name=version, use_device="cpu", verbose=False)
        return cls(model.eval().requires_grad_(False), version=version)

    @property
    def name(self) -> str:
        """The word used in options and reports."""
        return "chgnet"

    @property
    def version(self) -> str:
        """Version of the weights."""
        return self._version

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        """Energies, forces and stresses in the order of `crystals`; a crystal that cannot be treated is a Failure."""
        results: list[PointResult | Failure] = [Failure(reason="not evaluated")] * len(crystals)
        graphs: list[tuple[int, BondGraph]] = []
        for index, crystal in enumerate(crystals):
            start = time.perf_counter()
            try:
                graphs.append((index, self._graph(crystal)))
            except CalculationError as error:
                results[index] = Failure(reason=str(error), seconds=time.perf_counter() - start)
        for chunk in _chunks(graphs):
            chosen = [crystals[index] for index, _ in chunk]
            outcome = _evaluate_chunk(self._network, chosen, [graph for _, graph in chunk])
            for (index, _), result in zip(chunk, outcome, strict=True):
                results[index] = result
        return results

    def _graph(self, crystal: Crystal) -> BondGraph:
        if not crystal.is_ordered:
            raise CalculationError("a disordered crystal has no energy in CHGNet")
        if crystal.numbers.max() > self._network.max_number:
            raise CalculationError(f"CHGNet knows elements up to Z = {self._network.max_number}")
        return find_bonds(crystal, cutoff=self._network.cutoff, angle_cutoff=self._network.angle_cutoff)


def _chunks(graphs: list[tuple[int, BondGraph]]) -> Iterator[list[tuple[int, BondGraph]]]:
    """Consecutive crystals whose bonds together stay below `BONDS_A_PASS` (at least one a chunk)."""
    chunk: list[tuple[int, BondGraph]] = []
    total = 0
    for item in graphs:
        size = len(item[1].first) + len(item[1].angle_atom)
        if chunk and total + size > BONDS_A_PASS:
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += size
    if chunk:
        yield chunk


def _evaluate_chunk(network: _Network, crystals: list[Crystal], graphs: list[BondGraph]) -> list[PointResult | Failure]:
    batch = _collate(crystals, graphs)
    energies = network(batch)
    (slopes,) = torch.autograd.grad(energies.sum(), batch.vectors)
    gradient = slopes.double().numpy()
    vectors = np.concatenate([graph.vectors for graph in graphs])
    forces = np.zeros((len(batch.numbers), 3))
    np.add.at(forces, batch.first.numpy(), -gradient)
    np.add.at(forces, batch.second.numpy(), gradient)
    virials = np.zeros((len(crystals), 3, 3))
    np.add.at(virials, batch.bond_owners, vectors[:, :, None] * gradient[:, None, :])
    values = energies.detach().double().numpy()
    ends = np.cumsum(batch.sizes)
    return [
        _checked(crystal, float(energy), forces[end - size : end], virial)
        for crystal, energy, end, size, virial in zip(crystals, values, ends, batch.sizes, virials, strict=True)
    ]


def _checked(
    crystal: Crystal, energy: float, forces: NDArray[np.float64], virial: NDArray[np.float64]
) -> PointResult | Failure:
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(virial).all()):
        return Failure(
            reason="CHGNet gave an energy, force or stress that is not a finite number", kind=FailureKind.NOT_FINITE
        )
    return PointResult(energy=energy, forces=forces, stress=(virial + virial.T) / (2.0 * crystal.volume))


def _collate(crystals: list[Crystal], graphs: list[BondGraph]) -> _Batch:
    sizes = np.array([len(crystal) for crystal in crystals])
    n_bonds = np.array([len(graph.first) for graph in graphs])
    atom_start = np.cumsum(sizes) - sizes
    bond_start = np.cumsum(n_bonds) - n_bonds
    n_short = np.array([len(graph.short) for graph in graphs])
    short_start = np.cumsum(n_short) - n_short

    def joined(pick: Callable[[BondGraph], NDArray[np.int64]], starts: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.concatenate([pick(g) + s for g, s in zip(graphs, starts, strict=True)]))

    def stacked(pick: Callable[[BondGraph], NDArray[np.float64]]) -> Tensor:
        return torch.from_numpy(np.concatenate([pick(g) for g in graphs]).astype(np.float32))

    return _Batch(
        numbers=torch.from_numpy(np.concatenate([crystal.numbers for crystal in crystals])),
        owners=torch.from_numpy(np.repeat(np.arange(len(crystals)), sizes)),
        bond_owners=np.repeat(np.arange(len(crystals)), n_bonds),
        first=joined(lambda g: g.first, atom_start),
        second=joined(lambda g: g.second, atom_start),
        vectors=stacked(lambda g: g.vectors).requires_grad_(True),
        short=joined(lambda g: g.short, bond_start),
        angle_atom=joined(lambda g: g.angle_atom, atom_start),
        angle_bond=joined(lambda g: g.angle_bond, short_start),
        angle_other=joined(lambda g: g.angle_other, short_start),
        angle_sign=stacked(lambda g: g.angle_sign),
        sizes=sizes,
    )


@final
class _Network:
    """CHGNet's forward pass on a `_Batch` with the weights of a loaded model."""

    def __init__(self, model: Any) -> None:  # the package is not typed
        converter = model.graph_converter
        self.cutoff = float(converter.atom_graph_cutoff)
        self.angle_cutoff = float(converter.bond_graph_cutoff)
        self.max_number = int(model.atom_embedding.embedding.num_embeddings)
        self._model = model
        self._shifts = model.composition_model.fc.weight.reshape(-1)
        width = int(model.atom_fea_dim)
        self._atom_blocks = [_Gated(layer.twoBody_atom, width, 3) for layer in model.atom_conv_layers]
        self._bond_blocks = [_Gated(layer.twoBody_bond, width, 4) for layer in model.bond_conv_layers]
        self._angle_blocks = [_Gated(layer.twoBody_bond, width, 4) for layer in model.angle_layers]

    def __call__(self, batch: _Batch) -> Tensor:
        """(n_crystals,) energies of the cells in eV."""
        model = self._model
        lengths = batch.vectors.norm(dim=1)
        basis = model.bond_basis_expansion.rbf_expansion_ag(lengths)
        atoms = model.atom_embedding(batch.numbers - 1)  # hydrogen is row 0
        bonds = model.bond_embedding(basis)
        atom_gate = model.bond_weights_ag(basis)
        short_lengths = lengths.index_select(0, batch.short)
        bond_gate = model.bond_weights_bg(model.bond_basis_expansion.rbf_expansion_bg(short_lengths))
        pair_gate = bond_gate.index_select(0, batch.angle_bond) * bond_gate.index_select(0, batch.angle_other)
        angles = self._angle_features(batch, short_lengths)
        last = len(self._bond_blocks) - 1
        for index, bond_block in enumerate(self._bond_blocks):
            atoms = self._update_atoms(index, atoms, bonds, atom_gate, batch)
            if len(batch.angle_atom):
                bonds = self._update_bonds(bond_block, index, atoms, bonds, angles, pair_gate, batch)
                if index < last:
                    angles = self._update_angles(index, atoms, bonds, angles, batch)
        atoms = self._update_atoms(last + 1, atoms, bonds, atom_gate, batch)
        if model.readout_norm is not None:
            atoms = model.readout_norm(atoms)
        site_energies = model.mlp(atoms).reshape(-1) + self._shifts[batch.numbers - 1]
        totals: Tensor = site_energies.new_zeros(len(batch.sizes)).index_add(0, batch.owners, site_energies)
        return totals

    def _angle_features(self, batch: _Batch, short_lengths: Tensor) -> Tensor:
        units = batch.vectors.index_select(0, batch.short) / short_lengths[:, None]
        pairs = units.index_select(0, batch.angle_bond) * units.index_select(0, batch.angle_other)
        cosine = pairs.sum(dim=1) * batch.angle_sign
        # the model's own guard: the slope of arccos is infinite at 1
        angle = torch.acos(cosine * (1 - 1e-6))
        features: Tensor = self._model.angle_embedding(self._model.angle_basis_expansion.fourier_expansion(angle))
        return features

    def _update_atoms(self, index: int, atoms: Tensor, bonds: Tensor, gate: Tensor, batch: _Batch) -> Tensor:
        block = self._atom_blocks[index]
        centre, bond, neighbour = block.parts
        at_centre, at_bond, at_neighbour = atoms @ centre, torch.addmm(block.bias, bonds, bond), atoms @ neighbour
        forward = at_centre.index_select(0, batch.first) + at_bond + at_neighbour.index_select(0, batch.second)
        backward = at_centre.index_select(0, batch.second) + at_bond + at_neighbour.index_select(0, batch.first)
        forward_message, backward_message = block(forward) * gate, block(backward) * gate
        total = torch.zeros_like(atoms).index_add(0, batch.first, forward_message)
        total = total.index_add(0, batch.second, backward_message)
        updated: Tensor = self._model.atom_conv_layers[index].mlp_out(total) + atoms
        return updated

    def _update_bonds(
        self,
        block: _Gated,
        index: int,
        atoms: Tensor,
        bonds: Tensor,
        angles: Tensor,
        pair_gate: Tensor,
        batch: _Batch,
    ) -> Tensor:
        short = bonds.index_select(0, batch.short)
        message = block(_three_body_rows(block, atoms, short, angles, batch)) * pair_gate
        total = torch.zeros_like(short).index_add(0, batch.angle_bond, message)
        return bonds.index_add(0, batch.short, self._model.bond_conv_layers[index].mlp_out(total))

    def _update_angles(self, index: int, atoms: Tensor, bonds: Tensor, angles: Tensor, batch: _Batch) -> Tensor:
        block = self._angle_blocks[index]
        return block(_three_body_rows(block, atoms, bonds.index_select(0, batch.short), angles, batch)) + angles


def _three_body_rows(block: _Gated, atoms: Tensor, short: Tensor, angles: Tensor, batch: _Batch) -> Tensor:
    """(n_angles, 2 · width) first matrix of a three-body layer applied to [bond, other bond, angle, corner atom]."""
    bond, other, angle, corner = block.parts
    rows = torch.addmm(block.bias, angles, angle)
    rows = rows + (short @ bond).index_select(0, batch.angle_bond) + (short @ other).index_select(0, batch.angle_other)
    return rows + (atoms @ corner).index_select(0, batch.angle_atom)


@final
class _Gated:
    """A gated perceptron whose first matrix is split by input and whose two branches run side by side.

    Attributes:
        parts: one (width, 2 · width) matrix an input, core branch left, gate branch right.
        bias: (2 · width,).
    """

    def __init__(self, block: Any, width: int, n_inputs: int) -> None:
        core = [layer for layer in block.mlp_core.layers if isinstance(layer, nn.Linear)]
        gate = [layer for layer in block.mlp_gate.layers if isinstance(layer, nn.Linear)]
        joined = torch.cat([core[0].weight, gate[0].weight]).T.contiguous()  # (inputs · width, 2 · width)
        self.parts = [part.contiguous() for part in torch.split(joined, width)]
        if len(self.parts) != n_inputs:
            raise InputError(f"this CHGNet model has layers with {len(self.parts)} inputs, {n_inputs} are expected")
        self.bias = torch.cat([core[0].bias, gate[0].bias])
        self._width = width
        self._core = core[1] if len(core) > 1 else None
        self._gate = gate[1] if len(gate) > 1 else None
        self._core_norm, self._gate_norm = block.bn1, block.bn2

    def __call__(self, rows: Tensor) -> Tensor:
        """(n, width) output for rows (n, 2 · width) that the first matrix has been applied to."""
        if self._core is not None and self._gate is not None:
            rows = functional.silu(rows)
            core, gate = self._core(rows[:, : self._width]), self._gate(rows[:, self._width :])
        else:
            core, gate = rows[:, : self._width], rows[:, self._width :]
        return functional.silu(self._core_norm(core)) * torch.sigmoid(self._gate_norm(gate))
