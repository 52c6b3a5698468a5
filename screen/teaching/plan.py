"""The plan by which a network is taught."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernels.augment import AugmentSpec
from kernels.networks.heads import BINARY, HeadSpec
from kernels.optimisers import OptimiserSpec
from kernels.step import PRECISIONS


@dataclass(frozen=True)
class FitPlan:
    """How a network is taught; two fits of one plan and one set of crops are equal.

    ``batch`` counts crops of a step; ``clip_norm`` 0 is no limit; ``momentum`` and
    ``nesterov`` are those of sgd; ``schedule`` and ``warmup`` those of OptimiserSpec.
    ``class_balance`` gives all classes or grades the same total weight. ``huber`` is
    where the error of a regression becomes linear, in sd of the targets; 0 = nowhere.

    For ``frozen_epochs`` only the dense layers learn, then everything, at the learning
    rate times ``unfreeze_rate``. ``patience`` is how many epochs without a smaller loss
    of the watched crops end a fit; 0 = all epochs, as when nothing is watched.

    ``positive_fraction`` is the share of cells of class 1 and above that are what their
    label says, the others being of class 0; below 1 the loss is corrected for it.
    ``mil`` is how many cells of each bag are looked at together (0 = cells count by
    themselves): their mean probability is held against that share.
    """

    network: str = "compact"
    crop_px: int = 32
    epochs: int = 8
    batch: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    momentum: float = 0.0
    label_smoothing: float = 0.05
    augment: AugmentSpec | None = field(default_factory=AugmentSpec)
    seed: int = 1
    class_balance: bool = True
    head: HeadSpec = BINARY
    network_width: float = 1.0
    nesterov: bool = False
    schedule: str = "auto"
    warmup: float = 0.05
    frozen_epochs: int = 0
    unfreeze_rate: float = 1.0
    patience: int = 0
    precision: str = "float32"
    huber: float = 0.0
    positive_fraction: float = 1.0
    mil: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for values that do not fit together."""
        self.optimiser()
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be float32 or bfloat16, got {self.precision!r}"
            )
        if not 0 < self.positive_fraction <= 1:
            raise ValueError(
                "positive_fraction must be above 0 and at most 1, got"
                f" {self.positive_fraction}"
            )
        if self.is_mixed and self.head.kind != "classes":
            raise ValueError(
                f"positive_fraction and mil need classes, the head is {self.head.kind}"
            )
        if self.mil and self.batch < 2 * self.mil:
            raise ValueError(
                f"a batch of {self.batch} holds no two bags of {self.mil} cells"
            )

    @property
    def is_mixed(self) -> bool:
        """Whether the plan says that labels of cells are partly wrong."""
        return self.positive_fraction < 1 or self.mil > 0

    def optimiser(self, factor: float = 1.0) -> OptimiserSpec:
        """The optimiser, its learning rate multiplied by ``factor``."""
        return OptimiserSpec(
            self.optimizer,
            self.learning_rate * factor,
            schedule=self.schedule,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            nesterov=self.nesterov,
            clip_norm=self.clip_norm,
        )
