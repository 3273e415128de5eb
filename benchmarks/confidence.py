"""What the confidence of a hit is worth, on pictures that no calibration was fitted on.

    python -m benchmarks.confidence [--model encoders/starter] [--pairs PAIRS]

Queries of five groups are asked of the gallery: labels of several pictures, labels of one picture,
short and long captions, and nonsense. Each is asked a second time of a gallery without the pictures
that answer it. Judged is as in ``evaluation.caption_judgement``: hits that share a word with the
query but not all of them count for nothing.

# N = pictures, K = hits, D = embedding dimension
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from core.types import FloatArray
from encoders.confidence import Calibration
from encoders.loading import STARTER_MODEL, load_encoder
from evaluation.calibration_metrics import reliability
from evaluation.caption_judgement import NOT_JUDGED, NOT_RELEVANT, RELEVANT, CaptionJudge
from evaluation.images import embed_images
from zeroshot.separation import auroc

HITS = 10
LONG_CAPTION_WORDS = 6
THRESHOLDS = (0.05, 0.2, 0.5)
NONSENSE = (
    *("asdf qwer zxcv", "blorf wug tove", "xqzt", "lorem ipsum dolor sit amet", "aaaaaaaaaaaa"),
    *("the square root of democracy", "quarterly tax depreciation schedule", "!!!???", "tbd"),
    *("my feelings about tuesday", "null pointer exception", "terms and conditions apply"),
    *("the concept of infinity", "0x7fff5fbff8a0", "jurisprudence", "photosynthesis equation"),
    *("why is the sky blue", "how to file an insurance claim", "invoice 2019-44871", "irony"),
    *("meeting notes for the board", "a proof of Fermat's last theorem", "epistemology"),
    *("inflation rate", "hexadecimal", "per my last email", "kubernetes deployment yaml"),
    *("gross domestic product", "SELECT * FROM users", "the opposite of yesterday", "karma"),
    *("mitigating circumstances", "password reset", "algorithmic complexity", "unsubscribe"),
    *("seventeen and a half percent", "subordinate clause", "zzyzx frobnicate", "foo bar baz"),
    *("etymology of nothing", "retroactive legislation", "glorp", "hypothesis testing"),
    *("colourless green ideas sleep furiously", "12345", "the day after tomorrow"),
    *("monetary policy", "xylqrt pfnord", "version control", "statute of limitations"),
)
"""Fifty texts that no photograph answers: no words, abstract words, and other people's text."""


@dataclass(frozen=True, slots=True)
class Rated:
    """The first hits of the queries of one group."""

    confidences: list[NDArray[np.float64]]
    judged: list[NDArray[np.int8]]

    def flat(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return confidence and relevance of all judged hits."""
        confidences, judged = np.concatenate(self.confidences), np.concatenate(self.judged)
        kept = judged != NOT_JUDGED
        return confidences[kept], judged[kept] == RELEVANT

    def empty(self, least: float) -> float:
        """Return the share of queries without a hit of that confidence."""
        return float(np.mean([not (found >= least).any() for found in self.confidences]))

    def kept(self, least: float) -> float:
        """Return, of the queries with a relevant hit, the share that still has one."""
        pairs = zip(self.confidences, self.judged, strict=True)
        answered = [(found, judged == RELEVANT) for found, judged in pairs if RELEVANT in judged]
        if not answered:
            return float("nan")
        return float(np.mean([(right & (found >= least)).any() for found, right in answered]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=STARTER_MODEL)
    parser.add_argument("--pairs", type=Path, default=Path("examples/gallery/pairs.jsonl"))
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.pairs)
    groups = query_groups(pairs)
    with closing(load_encoder(arguments.model)) as encoder:
        calibration = encoder.calibration
        if calibration is None:
            raise SystemExit(f"{arguments.model} has no calibration: sightline models calibrate")
        images = embed_images(encoder, [pair.image for pair in pairs])
        queries = {name: encoder.encode_texts(texts) for name, texts in groups.items()}
    judge = CaptionJudge([_texts(pairs[place]) for place in images.places_G])
    print(f"{arguments.model}: {len(images.places_G)} pictures, the first {HITS} hits\n")
    found: list[Rated] = []
    header = [f"empty / kept at {least}" for least in THRESHOLDS]
    print(f"| queries | n | ECE | mean confidence | relevant | {' | '.join(header)} |")
    print(f"|---|---|---|---|---|{'---|' * len(THRESHOLDS)}")
    for name, texts in groups.items():
        for without in (False, True) if name != "nonsense" else (False,):
            one = rate(
                calibration, texts, queries[name], images.embeddings_GD, judge, without=without
            )
            found.append(one)
            print_group(f"{name}, answers removed" if without else name, one)
    print_reliability(found)


def query_groups(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """Return the queries of each group, each text once."""
    labels = Counter(pair.label for pair in pairs if pair.label)
    captions = sorted({text for pair in pairs for text in pair.captions})
    long = [text for text in captions if len(text.split()) >= LONG_CAPTION_WORDS]
    return {
        "single words": sorted(label for label, count in labels.items() if count > 1),
        "rare": sorted(label for label, count in labels.items() if count == 1),
        "short captions": sorted(set(captions) - set(long)),
        "long captions": long,
        "nonsense": list(NONSENSE),
    }


def rate(
    calibration: Calibration,
    texts: Sequence[str],
    queries_ND: FloatArray,
    pictures_ND: FloatArray,
    judge: CaptionJudge,
    *,
    without: bool,
) -> Rated:
    """Return the first hits of every query, with or ``without`` the pictures that answer it."""
    rated = Rated([], [])
    for text, query_D in zip(texts, queries_ND, strict=True):
        judged_N = judge.judge(text)
        if text in NONSENSE:
            judged_N[:] = NOT_RELEVANT
        scores_N = pictures_ND @ query_D
        allowed = judged_N == NOT_RELEVANT if without else np.ones(len(scores_N), bool)
        rows = np.flatnonzero(allowed)
        best = rows[np.argsort(-scores_N[rows], kind="stable")[:HITS]]
        confidences_K = calibration.confidence("text", query_D, scores_N[best])
        if confidences_K is None:
            raise SystemExit("the model is not calibrated for text queries")
        rated.confidences.append(confidences_K)
        rated.judged.append(judged_N[best])
    return rated


def print_group(name: str, found: Rated) -> None:
    """Print the row of one group."""
    confidences_N, relevant_N = found.flat()
    error = reliability(confidences_N, relevant_N).expected_error
    cells = [f"{found.empty(least):.2f} / {found.kept(least):.2f}" for least in THRESHOLDS]
    print(
        f"| {name} | {len(found.confidences)} | {error:.3f} | {confidences_N.mean():.3f} | "
        f"{relevant_N.mean():.3f} | {' | '.join(cells).replace('nan', '-')} |"
    )


def print_reliability(found: Sequence[Rated]) -> None:
    """Print how often hits of each tenth of confidence are relevant, over all groups."""
    parts = [one.flat() for one in found]
    confidences_N = np.concatenate([part[0] for part in parts])
    relevant_N = np.concatenate([part[1] for part in parts])
    error = reliability(confidences_N, relevant_N).expected_error
    ranked = auroc(confidences_N[relevant_N], confidences_N[~relevant_N])
    print(f"\nall: ECE {error:.3f}, AUROC of confidence over all queries {ranked:.3f}\n")
    print("| confidence | hits | mean confidence | relevant |\n|---|---|---|---|")
    bins = np.minimum((confidences_N * 10).astype(int), 9)
    for place in range(10):
        inside = bins == place
        if inside.any():
            print(
                f"| {place / 10:.1f} to {(place + 1) / 10:.1f} | {inside.sum()} | "
                f"{confidences_N[inside].mean():.3f} | {relevant_N[inside].mean():.3f} |"
            )


def _texts(pair: Pair) -> tuple[str, ...]:
    return (*pair.captions, pair.label or "")


if __name__ == "__main__":
    main()
