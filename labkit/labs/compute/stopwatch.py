"""How long one pass through the model takes, and how fast the machine could be.

A pass is timed by its shape alone: so many sequences, so many new tokens each, so much
context. Shapes are timed in turn, round after round, so that a machine that slows down
slows all of them. The key/value store holds noise, since untouched memory reads faster
than memory in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import TypeVar

import torch

from labkit.clock import Clock
from labkit.config import ModelConfig
from labkit.errors import ConfigError
from labkit.figures.roofs import PassWork, Roofs
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.loaded import LoadedModel

__all__ = [
    "PassShape",
    "Stopwatch",
    "linear_params",
    "measure_roofs",
    "pass_work",
    "weight_bytes",
]

Key = TypeVar("Key")
Turn = tuple[int, int]  # a round, and the place of a shape in it
Progress = Callable[[Sequence[Turn], str], Iterable[Turn]]  # shows how far it is

COPIED = 1 << 25  # float32 values, 128 MiB: more than any cache holds
SIDE = 1024  # of the square matrices multiplied
TRIES = 10  # a busy neighbour must not lower a roof


@dataclass(frozen=True, slots=True)
class PassShape:
    """What one pass computes."""

    rows: int = 1  # sequences
    new: int = 1  # tokens computed of each
    context: int = 128  # tokens that each one's last token sees
    scored: int = 1  # last tokens of each that become logits

    @property
    def num_slots(self) -> int:
        """Places in the key/value store that it needs."""
        return self.rows * self.context


class Stopwatch:
    """`Stopwatch(lab.model, clock).seconds([PassShape(new=4), PassShape(new=1)])`.

    `progress` is given the passes to go and what they are, as `lab.progress` is.
    """

    def __init__(
        self,
        model: LoadedModel,
        clock: Clock,
        num_slots: int = 8192,
        progress: Progress | None = None,
    ) -> None:
        self._decoder = model.decoder
        self._clock = clock
        self._progress = progress or _silently
        self._kv = _noise(model, num_slots)
        self._scratch = model.decoder.new_scratch()

    def seconds(
        self,
        shapes: Sequence[PassShape],
        rounds: int = 5,
        pick: Callable[[Sequence[float]], float] = median,
    ) -> list[float]:
        """What `pick` takes of each shape's `rounds`; one more round warms up.

        `min` suits few rounds beside busy neighbours: they only make a pass slower.
        """
        inputs = [self._inputs(shape) for shape in shapes]
        kept: list[list[float]] = [[] for _ in shapes]
        turns = list(product(range(rounds + 1), range(len(shapes))))
        for _, place in self._progress(turns, "Timing passes"):
            started_s = self._clock.now()
            self._run(inputs[place])
            kept[place].append(self._clock.now() - started_s)
        return [pick(times[1:]) for times in kept]

    def ms(self, shapes: Mapping[Key, PassShape], rounds: int = 3) -> dict[Key, float]:
        """The best of `rounds` for each named shape, in milliseconds."""
        best = self.seconds(list(shapes.values()), rounds, min)
        return {key: 1000 * s for key, s in zip(shapes, best, strict=True)}

    def _run(self, inputs: ForwardInputs) -> float:
        logits = self._decoder.forward(inputs, self._kv, scratch=self._scratch)
        return float(logits[0, 0])  # waits for the device

    def _inputs(self, shape: PassShape) -> ForwardInputs:
        """Every row computes the same tokens, in slots of its own."""
        rows, new, seen = shape.rows, shape.new, shape.context
        if shape.num_slots > self._kv.num_slots or not 0 < new <= seen:
            room = self._kv.num_slots
            raise ConfigError(f"{shape} does not fit {room} slots: make it smaller")
        device = self._decoder.device
        slots = torch.arange(rows * seen, device=device).view(rows, seen)
        places = torch.arange(seen - new, seen, device=device)
        size = self._decoder.config.vocab_size
        return ForwardInputs(
            token_ids=((places * 97 + 5) % size).repeat(rows),
            positions=places.repeat(rows),
            write_slots=slots[:, seen - new :].flatten().contiguous(),
            read_slots=slots,
            query_lens=(new,) * rows,
            context_lens=(seen,) * rows,
            num_logits=(shape.scored,) * rows,
        )


def measure_roofs(model: LoadedModel, clock: Clock) -> Roofs:
    """The best of a few copies and of a few multiplications, where the model is.

    A copied byte counts twice, since it is read and written. What multiplies is what
    the model's passes multiply with: the kernels' own instruction, in registers, where
    the decoder is packed, else a matrix product.
    """
    device, packed = model.decoder.device, model.decoder.packed
    source = torch.ones(COPIED, device=device)
    target = torch.empty_like(source)
    left = torch.ones(SIDE, SIDE, device=device, dtype=model.decoder.dtype)

    def copy() -> float:
        target.copy_(source)
        return 2 * source.nbytes

    def multiply() -> float:
        left @ left
        return 2 * SIDE**3

    def best(action: Callable[[], float]) -> float:
        found = []
        for _ in range(TRIES):
            started_s = clock.now()
            done = action()
            float(target[0])  # waits for the device
            found.append(done / (clock.now() - started_s))
        return max(found)

    return Roofs(best(copy), best(packed.exert if packed is not None else multiply))


def pass_work(model: LoadedModel) -> PassWork:
    """What a pass through `model` has to read and to multiply."""
    config = model.config
    layers, head = 2 * linear_params(config), 2 * config.vocab_size * config.width
    return PassWork(weight_bytes(model), layers, head)


def weight_bytes(model: LoadedModel) -> int:
    """Bytes of the matrices that a pass of one token reads, the head among them."""
    packed, config = model.decoder.packed, model.config
    if packed is not None:
        return packed.num_bytes
    num_weights = linear_params(config) + config.vocab_size * config.width
    return num_weights * model.decoder.dtype.itemsize


def linear_params(config: ModelConfig) -> int:
    """Weights of all layers' matrices; embedding, head and norms are not among them."""
    heads = config.num_heads * config.head_dim
    keys = config.num_kv_heads * config.head_dim
    attention = 2 * config.width * (heads + keys)
    return config.num_layers * (attention + 3 * config.width * config.ffn_width)


def _silently(turns: Sequence[Turn], _: str) -> Iterable[Turn]:
    return turns


def _noise(model: LoadedModel, num_slots: int) -> KVStore:
    """A store in which every slot holds something."""
    decoder, config = model.decoder, model.config
    store = decoder.new_store(num_slots)
    source = torch.Generator(device=decoder.device).manual_seed(0)
    shape = (num_slots, config.num_kv_heads, config.head_dim)
    slots = torch.arange(num_slots, device=decoder.device)
    values = torch.randn(shape, generator=source, device=decoder.device)
    for layer in range(config.num_layers):
        store.write(layer, slots, values.to(store.dtype), values.to(store.dtype))
    return store
