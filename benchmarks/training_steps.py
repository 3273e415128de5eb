"""Steps of both trainers in one process: equal losses, memory of the loss, a very large batch.

# B = pairs of a batch, S = side of a picture, L = tokens, D = embedding dim
"""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from collections.abc import Callable

import open_clip
import torch

from training.backward import Chunking
from training.data.batches import Batch
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.optimiser import OptimiserConfig, build_optimiser
from training.step import StepConfig, Stepper
from training.towers.forward import TwoTowers, normalised
from training.towers.open_clip_model import BuiltModel, ModelConfig, build_model
from training.world import World

OPTIMISER = OptimiserConfig(weight_decay=0.0)
"""Without decay, because open_clip decays position embeddings and we do not."""
_LOSS_PROBE = """
import re, sys, time, torch
which, count, dim = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(2)
def step(count):
    image, text = (torch.randn(count, dim, requires_grad=True) for _ in range(2))
    scale = torch.tensor(14.0, requires_grad=True)
    started = time.perf_counter()
    loss(image, text, scale).backward()
    return time.perf_counter() - started
if which == "ours":
    from training.losses.config import LossConfig
    from training.losses.contrastive import ContrastiveLoss
    from training.world import World
    ours = ContrastiveLoss(LossConfig(), World.single())
    loss = lambda image, text, scale: ours(image, text, scale)
else:
    from open_clip import ClipLoss
    theirs, normal = ClipLoss(), torch.nn.functional.normalize
    loss = lambda image, text, scale: theirs(normal(image, dim=-1), normal(text, dim=-1), scale)
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
step(64)
open("/proc/self/clear_refs", "w").write("5")
before = kilobytes("VmRSS")
seconds = step(count)
print((kilobytes("VmHWM") - before) * 1024 / 1e6, seconds)
"""


def both_losses(model: dict[str, object], *, batch: int, steps: int) -> tuple[list[float], ...]:
    """Return the losses of each step of ours, then of open_clip's loop, on the same batches.

    Same weights, float32, no augmentation; a few batches come again and again, so that the loss
    falls.
    """
    built = build_model(ModelConfig(architecture=model), seed=0)
    theirs = copy.deepcopy(built.model)
    batches = [synthetic_batch(built, batch, seed=seed) for seed in range(4)]
    stepper = our_stepper(built, torch.device("cpu"), Chunking())
    ours = [
        stepper.step(batches[number % 4], number=number, learning_rate=rate_of(number)).loss
        for number in range(steps)
    ]
    return ours, _their_losses(theirs, built, batches, steps)


def _their_losses(
    model: torch.nn.Module, built: BuiltModel, batches: list[Batch], steps: int
) -> list[float]:
    """Return the losses of the loop in ``open_clip_train.train``, without its logging."""
    model.output_dict = True  # type: ignore[assignment]  # a plain attribute of open_clip
    loss_function = open_clip.ClipLoss()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0
    )
    losses = []
    for number in range(steps):
        batch = batches[number % 4]
        optimiser.param_groups[0]["lr"] = rate_of(number)
        optimiser.zero_grad()
        output = model(normalised(batch.images, built.preprocessing), batch.texts)
        loss = loss_function(**output)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.605170185988092)  # type: ignore[operator]  # a parameter
        losses.append(loss.item())
    return losses


def rate_of(step: int) -> float:
    """Return a learning rate that rises over ten steps."""
    return 5e-4 * min(1.0, (step + 1) / 10)


def synthetic_batch(built: BuiltModel, count: int, *, seed: int, words: int = 11) -> Batch:
    """Return random uint8 pictures with captions of random tokens."""
    generator = torch.Generator().manual_seed(seed)
    size = built.preprocessing.image_size
    pictures = torch.randint(0, 256, (count, size, size, 3), generator=generator).to(torch.uint8)
    texts = torch.zeros(count, 77, dtype=torch.int64)
    texts[:, 0], texts[:, words + 1] = 49406, 49407
    texts[:, 1 : words + 1] = torch.randint(1, 49000, (count, words), generator=generator)
    return Batch(
        images=pictures,
        texts=texts,
        groups=torch.arange(count)[:, None],
        ids=tuple(str(number) for number in range(count)),
    )


def our_stepper(
    built: BuiltModel, device: torch.device, chunking: Chunking, *, bfloat16: bool = False
) -> Stepper:
    """Return what ``sightline train`` makes its steps with."""
    towers = TwoTowers(built.model.to(device), built.preprocessing).train()
    return Stepper(
        towers,
        ContrastiveLoss(LossConfig(), World.single()),
        build_optimiser(towers.model, OPTIMISER),
        device=device,
        config=StepConfig(precision="bfloat16" if bfloat16 else "float32", chunking=chunking),
        world=World.single(),
    )


def loss_cost(which: str, *, count: int, dim: int) -> tuple[float, float]:
    """Return memory in MB and seconds of one loss with its gradients, in a fresh process."""
    command = [sys.executable, "-c", _LOSS_PROBE, which, str(count), str(dim)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[0]), float(answer[1])


def gpu_step(
    model: dict[str, object], *, batch: int, chunk: int, ours: bool
) -> tuple[float, float]:
    """Return samples/s and peak GiB of synthetic steps in bfloat16 on CUDA.

    Ours cuts the batch into chunks (0: none); open_clip's takes it whole, and may run out of
    memory (``torch.OutOfMemoryError``).
    """
    device = torch.device("cuda")
    built = build_model(ModelConfig(architecture=model), seed=0)
    data = synthetic_batch(built, batch, seed=0)
    torch.cuda.reset_peak_memory_stats()
    if ours:
        chunking = Chunking(size=chunk, graph_bytes=0)
        stepper = our_stepper(built, device, chunking, bfloat16=True)
        step = lambda number: stepper.step(data, number=number, learning_rate=1e-4)  # noqa: E731
    else:
        step = _their_gpu_step(built, data, device)
    seconds = []
    for number in range(4):
        started = time.perf_counter()
        step(number)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return batch / min(seconds[1:]), torch.cuda.max_memory_allocated() / 2**30


def _their_gpu_step(built: BuiltModel, data: Batch, device: torch.device) -> Callable[[int], None]:
    model = built.model.to(device)
    model.output_dict = True
    loss_function = open_clip.ClipLoss()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images, texts = normalised(data.images, built.preprocessing).to(device), data.texts.to(device)

    def step(_: int) -> None:
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_function(**model(images, texts))
        loss.backward()
        optimiser.step()

    return step
