"""What ``sightline labels`` prints of a label set, a head and a calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import note, print_json, print_lines

if TYPE_CHECKING:
    from cli.any_label_sets import FittedLabels
    from sightline.call import JSONAnswer
    from sightline.label_answers import LabelSet


def show_label_set(label_set: LabelSet, *, as_json: bool) -> None:
    """Print a label set."""
    if as_json:
        print_json(label_set.object)
        return
    lines = [f"{label_set.reference}  {len(label_set.labels)} labels"]
    for text in label_set.labels:
        label = label_set.details.get(text)
        more = [f"also {', '.join(label.aliases)}"] if label and label.aliases else []
        more += [f"{len(label.prompts)} prompts of its own"] if label and label.prompts else []
        more += ["background"] if label and label.background else []
        lines.append(f"  {text}" + (f"  ({'; '.join(more)})" if more else ""))
    lines.append(f"templates {label_set.template_set}")
    lines += [f"  {template}" for template in label_set.templates]
    print_lines(lines)


def show_head(fitted: FittedLabels, *, as_json: bool) -> None:
    """Print what is known of a head, as the API gives it."""
    if as_json:
        print_json({"label_set": fitted.label_set, "head": fitted.head})
        return
    head: JSONAnswer = fitted.head
    low, high = head["gain_interval"]
    chosen = " ".join(f"{name} {value:g}" for name, value in head["parameters"].items())
    paired = f"{head['better']} better, {head['worse']} worse"
    shots = f"{head['shots'][0]} to {head['shots'][1]} a label"
    lines = [
        f"{fitted.label_set} head {head['number']}: {head['kind']} {chosen}".rstrip(),
        f"examples   {head['examples']}, {shots}",
        f"validation {head['validation']}, {head['validation_images']} images",
        f"accuracy   {head['accuracy']:.4f}, texts alone {head['accuracy_text']:.4f}",
        f"gain       {head['gain']:+.4f} (95 % {low:+.4f} to {high:+.4f}), {paired}",
    ]
    lines += [f"  {kind:<12} {accuracy:.4f}" for kind, accuracy in head["accuracies"].items()]
    lines += [f"  {kind:<12} not tried: {why}" for kind, why in head["skipped"].items()]
    print_lines(lines)


def show_calibration(fitted: FittedLabels, *, as_json: bool) -> None:
    """Print what is known of a calibration, as the API gives it; its warnings go to stderr."""
    found: JSONAnswer = fitted.calibration
    for warning in found["warnings"]:
        note(warning)
    if as_json:
        print_json(
            {
                "label_set": fitted.label_set,
                "head": fitted.head,
                "calibration": fitted.calibration,
            }
        )
        return
    images, unknown = found["images"], found["unknown_images"]
    lines = [
        f"{fitted.label_set} calibration {found['number']}: {images} images, {unknown} unknown",
        *_temperature_lines(found),
    ]
    own = found["lines"]
    if own is not None:
        lines.append(f"lines       {own['fitted']} of {own['labels']} labels")
    for place, rule in enumerate(found["rules"]):
        used = "in force" if place == 0 else "        "
        lines.append(
            f"{used}    {rule['name']} {rule['threshold']:.4f}, AUROC {rule['auroc']:.4f}, "
            f"unknown images still labelled {rule['false_positive_rate']:.4f}"
        )
    scores = found["label_scores"]
    if scores:
        reached = sum(value is not None for value in scores.values())
        lines.append(f"least score {reached} of {len(scores)} labels")
    if found["conformal_images"]:
        method = found["options"]["conformal"]
        lines.append(f"sets        {method}, {found['conformal_images']} images")
    print_lines(lines)


def _temperature_lines(found: JSONAnswer) -> list[str]:
    fit = found["temperature"]
    if fit is None:
        return []
    held_out = found["ece_held_out"]
    also = "" if held_out is None else f", held out {held_out:.4f}"
    return [
        f"temperature {fit['temperature']:.4f}",
        f"accuracy    {fit['accuracy']:.4f}",
        f"ECE         {fit['ece_before']:.4f} -> {fit['ece_after']:.4f}{also}",
        f"NLL         {fit['nll_before']:.4f} -> {fit['nll_after']:.4f}",
    ]
