"""How much memory keys and values take: model, context, number format, batch, GPU.

Python does the sums (`labkit.figures.kv`), the page stacks weights and cache into the
GPU's bar; what is drawn is also said in words. It takes shapes as records, knows no
model of its own, and says so where a context is more than the model was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import traitlets

from labkit.config import from_mapping, reject_unknown
from labkit.errors import ConfigError
from labkit.figures.drawings import Memory
from labkit.figures.kv import (
    GPU,
    KVLoad,
    KVSums,
    ModelShape,
    beyond,
    kv_memory,
    kv_sums,
)
from labkit.widgets.base import LabWidget

__all__ = ["KVCalculator"]

CONTEXTS = tuple(2**power for power in range(8, 21))  # 256 to 1,048,576
BATCHES = tuple(2**power for power in range(11))  # 1 to 1,024
BITS = {32: "float32", 16: "bfloat16", 8: "fp8 or int8", 4: "int4"}
GPUS = (1, 2, 4, 8, 16)
LIMITS = {"context": 2**20, "batch": 2**20, "num_gpus": 2**10}


class KVCalculator(LabWidget, page="kv_calculator"):
    """`KVCalculator(models, gpus, model="Llama-3-8B", context=8192)`.

    `sums` is the answer as a record; `show(model=…, context=…)` does what the controls
    do and takes any number, where the sliders have powers of two.
    """

    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    gpus = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choices: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    model = traitlets.Unicode().tag(sync=True)
    gpu = traitlets.Unicode().tag(sync=True)
    load: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        models: Mapping[str, ModelShape],
        gpus: Mapping[str, GPU],
        model: str | None = None,
        gpu: str | None = None,
        load: KVLoad | None = None,
        **unknown: object,
    ) -> None:
        if not models or not gpus:
            raise ConfigError("KVCalculator: give at least one model and one GPU")
        self._models, self._gpus = dict(models), dict(gpus)
        super().__init__(
            unknown,
            models=list(models),
            gpus=list(gpus),
            choices=_choices(),
            model=model or next(iter(models)),
            gpu=gpu or next(iter(gpus)),
            load=asdict(load or KVLoad()),
        )
        self.observe(self._sum, ["model", "gpu", "load"])
        self._sum()

    @property
    def sums(self) -> KVSums:
        """The answer for what is chosen now."""
        return kv_sums(*self._chosen())

    def show(
        self, model: str | None = None, gpu: str | None = None, **load: int
    ) -> KVSums:
        """Change the choices that are named, keep the others, and return the answer."""
        with self._lock:
            self.model, self.gpu = model or self.model, gpu or self.gpu
            self.load = {**self.load, **load}
        return self.sums

    def record(self) -> Memory:
        """The GPU's memory with weights and cache, and the cache by kind of head."""
        return kv_memory(*self._chosen())

    @traitlets.validate("model", "gpu")
    def _is_known(self, proposal: Any) -> str:
        name = proposal["trait"].name
        known = self._models if name == "model" else self._gpus
        reject_unknown([proposal["value"]], known, f"KVCalculator.{name}")
        return str(proposal["value"])

    @traitlets.validate("load")
    def _is_load(self, proposal: Any) -> dict[str, Any]:
        load = from_mapping(KVLoad, proposal["value"])
        if load.element_bits not in BITS:
            known = ", ".join(map(str, BITS))
            raise ConfigError(f"element_bits={load.element_bits}: use one of {known}")
        for name, limit in LIMITS.items():
            if not 1 <= getattr(load, name) <= limit:
                value = getattr(load, name)
                raise ConfigError(f"{name}={value}: use 1 to {limit:,}")
        return asdict(load)

    def _chosen(self) -> tuple[ModelShape, GPU, KVLoad]:
        return self._models[self.model], self._gpus[self.gpu], KVLoad(**self.load)

    def _sum(self, _: object = None) -> None:
        sums, drawing = self.sums, self.record()
        shape, _gpu, load = self._chosen()
        self.result = {
            **asdict(drawing),
            "scale": drawing.scale,
            "warning": beyond(shape, load),
            "facts": [
                ["a token takes", f"{sums.token:,} bytes"],
                ["with MHA it would take", f"{sums.token_mha / sums.token:.1f} x that"],
                ["cache = weights at", f"{sums.even_context:,} tokens"],
            ],
        }


def _choices() -> dict[str, Any]:
    bits = [[str(bits), f"{name}, {bits} bits"] for bits, name in BITS.items()]
    return {"context": CONTEXTS, "batch": BATCHES, "bits": bits, "num_gpus": GPUS}
