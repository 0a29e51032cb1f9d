"""One network and one material as a differentiable function of what an explanation varies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from typing import Any, final

import torch
from torch import Tensor, nn

from matwright.explain.subject import Subject
from matwright.graphs.batch import GraphBatch
from matwright.materials.properties import PropertySpec
from matwright.models.config import HeadKind
from matwright.models.gem_ppm import GemPpm
from matwright.models.heads import class_probabilities, mean_and_spread
from matwright.models.scaled import ACTIVATION_ENERGY, ScaledModel, class_spec
from matwright.models.temperature import activation_energy


@final
class Channel(Enum):
    """A door through which a material enters a network.

    NODES the embeddings of the atoms, (1, n_atoms, width); WEIGHTS of the neighbours, (1, n_rows, row width);
    COMPOSITION the standardised fractions and statistics of the elements, (1, n_inputs); CONDITIONS the encoded
    conditions, (1, n_inputs); TEMPERATURE the reduced inverse temperature of each head with such a law, (1, n_heads).
    """

    NODES = "nodes"
    WEIGHTS = "weights"
    COMPOSITION = "composition"
    CONDITIONS = "conditions"
    TEMPERATURE = "temperature"


def for_probing(model: ScaledModel) -> ScaledModel:
    """Return a copy in double precision: an attribution is a difference of sums, which single precision would blur."""
    return copy.deepcopy(model).double().eval().requires_grad_(requires_grad=False)


def probed_specs(model: ScaledModel) -> tuple[PropertySpec, ...]:
    """Return one spec a column of `Probe`: one probability a class, and the activation energy beside its law."""
    specs: list[PropertySpec] = []
    for spec, head in zip(model.specs, model.network.config.heads, strict=True):
        specs += [class_spec(spec, label) for label in spec.classes] if spec.classes else [spec]
        if head.kind is HeadKind.ARRHENIUS:
            specs.append(ACTIVATION_ENERGY)
    return tuple(specs)


@final
class Probe:
    """Values of all properties for copies of one material that differ in what enters through the channels.

    Attributes:
        model: of `for_probing`.
        subject: the material.
        channels: those that the network has, in the order of the arguments.
        inputs: what enters for the material as it is, one tensor a channel.
        reference: what enters for as many atoms, each the mean of the training elements, that do not see each other,
            with the mean composition of the training data, unknown conditions and the law's reference temperature.
    """

    def __init__(self, model: ScaledModel, subject: Subject, elements: Sequence[int]) -> None:
        self.model, self.subject = model, subject
        seen, bare = self._seen(subject), self._seen(subject.bare())
        self.channels = tuple(seen)
        reference = {channel: torch.zeros_like(tensor) for channel, tensor in seen.items()}
        reference[Channel.NODES] = self._mean_element(elements).expand_as(seen[Channel.NODES]).contiguous()
        if Channel.CONDITIONS in bare:
            reference[Channel.CONDITIONS] = bare[Channel.CONDITIONS]
        self.inputs = tuple(seen.values())
        self.reference = tuple(reference[channel] for channel in self.channels)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return (n_copies, n_columns) values in the units of `probed_specs`, not cut at their physical bounds."""
        given = dict(zip(self.channels, inputs, strict=True))
        batch = self.subject.batch(len(inputs[0]))
        batch = replace(batch, envelope=given.pop(Channel.WEIGHTS).reshape(batch.envelope.shape))
        with _given(self.model.network, given):
            return self._values(self.model.network(batch), batch)

    @torch.no_grad()
    def _seen(self, subject: Subject) -> dict[Channel, Tensor]:
        batch = subject.batch()
        with _recorded(self.model.network) as seen:
            self.model.network(batch)
        seen[Channel.NODES] = seen[Channel.NODES][None]
        return {Channel.WEIGHTS: batch.envelope[None], **seen}

    def _mean_element(self, elements: Sequence[int]) -> Tensor:
        numbers, batch = torch.tensor(list(elements)), self.subject.batch()
        one_of_each = replace(
            batch, numbers=numbers, share_atoms=numbers[:0], share_numbers=numbers[:0], shares=batch.shares[:0]
        )
        mean: Tensor = self.model.network.encoder.embedding(one_of_each).mean(dim=0)
        return mean

    def _values(self, outputs: Tensor, batch: GraphBatch) -> Tensor:
        model, columns = self.model, []
        parts = model.network.heads.split(outputs)
        for index, (spec, head, part) in enumerate(zip(model.specs, model.network.config.heads, parts, strict=True)):
            if spec.classes:
                columns.append(class_probabilities(part))
                continue
            value = mean_and_spread(head.kind, part)[0] * model.scale[index] + model.centre[index]
            columns.append((value if spec.intensive else value * batch.counts)[:, None])
            if head.kind is HeadKind.ARRHENIUS:
                columns.append(activation_energy(part[:, 2:3], model.scale[index]))
        return torch.cat(columns, dim=1)


def _doors(network: GemPpm) -> dict[Channel, tuple[nn.Module, bool]]:
    """The module of each channel but the weights, and whether what enters it (else what leaves it) is the channel."""
    doors: dict[Channel, tuple[nn.Module, bool]] = {Channel.NODES: (network.encoder.embedding, False)}
    if network.composition is not None:
        doors[Channel.COMPOSITION] = (network.composition.hidden, True)
    if network.conditions is not None:
        doors[Channel.CONDITIONS] = (network.conditions.hidden, True)
    if any(law is not None for law in network.temperature.laws):
        doors[Channel.TEMPERATURE] = (network.temperature, False)
    return doors


@contextmanager
def _recorded(network: GemPpm) -> Iterator[dict[Channel, Tensor]]:
    """Collect what passes the doors inside the block."""
    seen: dict[Channel, Tensor] = {}
    with ExitStack() as hooks:
        for channel, (module, entering) in _doors(network).items():

            def keep(
                _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | None = None, *, of: Any = channel
            ) -> None:
                seen[of] = inputs[0] if output is None else output

            register = module.register_forward_pre_hook if entering else module.register_forward_hook
            hooks.callback(register(keep).remove)
        yield seen


@contextmanager
def _given(network: GemPpm, tensors: Mapping[Channel, Tensor]) -> Iterator[None]:
    """Let these pass the doors inside the block, whatever stands before them."""
    doors = _doors(network)
    with ExitStack() as hooks:
        for channel, tensor in tensors.items():
            module, entering = doors[channel]
            passing = tensor.flatten(0, 1) if channel is Channel.NODES else tensor

            def put(*_: Any, passing: Tensor = passing) -> Tensor:
                return passing

            register = module.register_forward_pre_hook if entering else module.register_forward_hook
            hooks.callback(register(put).remove)
        yield
