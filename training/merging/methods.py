"""The ways of merging: interpolation with a sweep, the uniform soup and the greedy soup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from training.merging.weights import Average, Weights, interpolated

Load = Callable[[str], Weights]
"""A source to its weights; called again rather than kept, so that memory holds few models."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well one set of weights does."""

    value: float
    """The number that decides, on the validation pairs; higher is better."""
    metrics: dict[str, float]
    """On the validation pairs, by the names of ``training.data.heldout.evaluate``."""
    kept: dict[str, float]
    """The same on the pairs that show what general ability is left; empty without them."""


Measure = Callable[[Weights], Score]


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of weights that was measured."""

    name: str
    """The source, the alpha or the soup that it was."""
    score: Score
    """What came out."""
    chosen: bool = False
    """Whether it went into what is written."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The weights to write and how they were found."""

    weights: dict[str, Tensor]
    """The merged model."""
    trials: tuple[Trial, ...]
    """What was measured, in order; empty where nothing was."""
    parts: dict[str, float]
    """Share of each source in the weights."""


def interpolation(
    sources: Sequence[str], load: Load, alphas: Sequence[float], measure: Measure | None
) -> Merged:
    """Return the best interpolation between a base and a tuned model, in this order.

    Without ``measure`` there is one alpha. Where two do equally well the lower one is chosen: it is
    nearer to the base.
    """
    base, tuned = (load(source) for source in sources)
    trials: list[Trial] = []
    best = 0
    if measure is not None:
        ordered = sorted(alphas)
        trials = [
            Trial(f"{alpha:g}", measure(interpolated(base, tuned, alpha))) for alpha in ordered
        ]
        best = max(range(len(trials)), key=lambda number: (trials[number].score.value, -number))
        trials[best] = replace(trials[best], chosen=True)
        alphas = ordered
    alpha = alphas[best]
    parts = {sources[0]: 1 - alpha, sources[1]: alpha}
    return Merged(interpolated(base, tuned, alpha), tuple(trials), parts)


def uniform_soup(sources: Sequence[str], load: Load, measure: Measure | None) -> Merged:
    """Return the mean of all models, and what it and each of them reach.

    Source: Wortsman et al. 2022, arXiv:2203.05482, section 2.
    """
    average = Average()
    trials = []
    for source in sources:
        weights = load(source)
        average.add(weights)
        if measure is not None:
            trials.append(Trial(source, measure(weights)))
    mean = average.mean()
    if measure is not None:
        trials.append(Trial("their mean", measure(mean), chosen=True))
    return Merged(mean, tuple(trials), dict.fromkeys(sources, 1 / len(sources)))


def greedy_soup(sources: Sequence[str], load: Load, measure: Measure) -> Merged:
    """Return the mean of those models that make it no worse, tried from the best to the worst.

    It is never worse on the validation pairs than the best single model.

    Source: Wortsman et al. 2022, arXiv:2203.05482, recipe 1.
    """
    singles = {source: measure(load(source)) for source in sources}
    # The order of the sources decides between equals, because sorting is stable.
    ranked = sorted(sources, key=lambda source: -singles[source].value)
    average = Average()
    average.add(load(ranked[0]))
    best, members = singles[ranked[0]], [ranked[0]]
    trials = [Trial(ranked[0], best, chosen=True)]
    for source in ranked[1:]:
        weights = load(source)
        score = measure(average.mean(weights))
        accepted = score.value >= best.value
        if accepted:
            average.add(weights)
            best = score
            members.append(source)
        trials.append(Trial(f"+ {source}", score, chosen=accepted))
    return Merged(average.mean(), tuple(trials), dict.fromkeys(members, 1 / len(members)))
