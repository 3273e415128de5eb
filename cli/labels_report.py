"""What ``sightline labels`` prints of a label set, a head and a calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import print_json, print_lines

if TYPE_CHECKING:
    from sightline.label_answers import LabelSet
    from zeroshot.fitted_store import StoredCalibration, StoredHead


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


def show_head(reference: str, stored: StoredHead, *, as_json: bool) -> None:
    """Print what is known of a head."""
    from zeroshot.fitted_objects import head_object

    fit = stored.fit
    if as_json:
        print_json({"label_set": reference, "head": {"number": stored.number, **head_object(fit)}})
        return
    low, high = fit.gain_interval
    gain = fit.accuracy - fit.accuracy_text
    chosen = " ".join(f"{name} {value:g}" for name, value in fit.parameters.items())
    paired = f"{fit.better} better, {fit.worse} worse"
    lines = [
        f"{reference} head {stored.number}: {fit.head.kind} {chosen}".rstrip(),
        f"examples   {fit.examples}, {fit.shots[0]} to {fit.shots[1]} a label",
        f"validation {fit.validation}, {fit.validation_images} images",
        f"accuracy   {fit.accuracy:.4f}, texts alone {fit.accuracy_text:.4f}",
        f"gain       {gain:+.4f} (95 % {low:+.4f} to {high:+.4f}), {paired}",
    ]
    lines += [f"  {kind:<12} {accuracy:.4f}" for kind, accuracy in fit.accuracies.items()]
    lines += [f"  {kind:<12} not tried: {why}" for kind, why in fit.skipped.items()]
    print_lines(lines)


def show_calibration(reference: str, stored: StoredCalibration, *, as_json: bool) -> None:
    """Print what is known of a calibration."""
    from zeroshot.fitted_objects import calibration_object

    found = stored.calibration
    if as_json:
        fields = {"number": stored.number, **calibration_object(found)}
        print_json({"label_set": reference, "head": stored.head, "calibration": fields})
        return
    lines = [
        f"{reference} calibration {stored.number}: {found.known} images, {found.unknown} unknown"
    ]
    if found.temperature is not None:
        fit = found.temperature
        held_out = "" if found.ece_held_out is None else f", held out {found.ece_held_out:.4f}"
        lines += [
            f"temperature {fit.temperature:.4f}",
            f"accuracy    {fit.accuracy:.4f}",
            f"ECE         {fit.ece_before:.4f} -> {fit.ece_after:.4f}{held_out}",
            f"NLL         {fit.nll_before:.4f} -> {fit.nll_after:.4f}",
        ]
    if found.platt is not None:
        lines.append(
            f"lines       {int(found.platt.fitted.sum())} of {len(found.platt.fitted)} labels"
        )
    for place, rule in enumerate(found.rules):
        used = "in force" if place == 0 else "        "
        lines.append(
            f"{used}    {rule.name} {rule.threshold:.4f}, AUROC {rule.auroc:.4f}, "
            f"unknown images still labelled {rule.false_positive_rate:.4f}"
        )
    reached = [value for value in found.label_scores.values() if value is not None]
    if found.label_scores:
        lines.append(f"least score {len(reached)} of {len(found.label_scores)} labels")
    if found.conformal is not None:
        lines.append(
            f"sets        {found.conformal.method}, {len(found.conformal.scores_N)} images"
        )
    print_lines(lines)
