"""How an autoencoder of sequences is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How the autoencoder is trained.

    Attributes:
        epochs: passes over the training sequences.
        minutes: wall-clock budget; the learning-rate schedule runs on whichever of the two is used up further.
        batch_size: sequences a step.
        learning_rate: peak of the schedule (warm-up, then cosine to zero).
        weight_decay: of AdamW.
        free_nats, free_total, geometry_weight: see `autoencoder.BoundWeights`.
        kl_warmup: share of the training over which the KL weight rises from 0 to 1.
        averaging: decay of the running average of the weights, per step.
        without_latent: share of the sequences that the decoder learns to write without a latent.
        swapped: share of the others whose elements are swapped for neighbours (see `jitter`).
        property_weight: of the mean absolute error, in spreads, of the properties predicted from the latent (E24); it
            needs known values and `EncoderConfig.properties`.
        without_graph: share of the sequences whose graph is hidden from a recognition network that reads graphs, so
            that it can do without.
        consistency: weight of ‖z − E_φ(G_θ(z))‖² per dimension (E27), over `consistency_rows` draws a step.
        distance_weight, density_weight, charge_weight: of the physics regularisers (see `physics_terms`), over
            `physics_rows` sequences a step.
        adversarial: weight of the discriminator's cross-entropy between latents and the prior (see `discriminator`).
        seed: of initialisation, order, dropout and latent noise.
    """

    epochs: int = 50
    minutes: float = 25.0
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    free_nats: float = 0.35
    kl_warmup: float = 0.1
    averaging: float = 0.998
    free_total: float = 0.0
    geometry_weight: float = 1.0
    without_latent: float = 0.0
    swapped: float = 0.0
    property_weight: float = 0.0
    without_graph: float = 0.0
    consistency: float = 0.0
    consistency_rows: int = 16
    distance_weight: float = 0.0
    density_weight: float = 0.0
    charge_weight: float = 0.0
    physics_rows: int = 32
    adversarial: float = 0.0
    seed: int = 0

    @property
    def physics_weights(self) -> Mapping[str, float]:
        """Weight of each of `physics_terms.TERMS`."""
        return {"distance": self.distance_weight, "density": self.density_weight, "charge": self.charge_weight}
