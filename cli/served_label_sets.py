"""The label sets of a running service, as commands work with them."""

from __future__ import annotations

from collections.abc import Sequence

from cli.any_label_sets import FittedLabels, NewCalibration, NewExamples, NewLabelSet
from cli.labelled_files import columns_by_name, labelled_files, unknown_files
from cli.served_fitting import Part, send_in_parts
from cli.served_gallery import open_client
from core.errors import UsageError
from sightline.call import check_address
from sightline.label_answers import Fitted, LabelSet


class ServedLabelSets:
    """Asks a server; pictures are read here and sent in parts."""

    def __init__(self, url: str) -> None:
        """Keep the address.

        Raises:
            UsageError: it is none.
        """
        self._url = check_address(url)

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set as the next version of its name.

        Raises:
            SightlineError: labels that cannot be used, or the server cannot be reached.
        """
        with open_client(self._url) as client:
            return client.label_sets.save(
                given.name,
                [
                    {
                        "text": label.text,
                        "aliases": [*label.aliases],
                        "prompts": [*label.prompts],
                        "background": label.background,
                    }
                    for label in given.labels
                ],
                template_set=given.templates,
                concept=given.concept or None,
                language=given.language,
            )

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set.

        Raises:
            SightlineError: the server cannot be reached.
        """
        with open_client(self._url) as client:
            return client.label_sets.list()

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``.

        Raises:
            NotFoundError: there is none.
        """
        with open_client(self._url) as client:
            return client.label_sets.get(name)

    def add_examples(self, name: str, given: NewExamples) -> FittedLabels:
        """Send images with labels to learn from.

        All parts but the last are learnt with the head ``text``, which chooses nothing: a head is
        slow to choose, and is chosen once, on all of them.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be learnt from the images.
        """
        if given.validation is not None:
            raise UsageError(
                "--validation has no meaning with --url: a server holds examples out in turn; run "
                "it on the server's machine, with --gallery FOLDER"
            )
        with open_client(self._url) as client:
            label_set = client.label_sets.get(name)
            found = labelled_files(given.data, _names_of(label_set), label_set.reference)

            def learn(part: Part[str]) -> Fitted:
                return client.label_sets.examples(
                    label_set.reference,
                    part.images,
                    part.labels,
                    head=given.head if part.last else "text",
                    replace=given.replace and part.first,
                )

            labels = [label_set.labels[column] for column in found.columns]
            fitted = send_in_parts(found.files, labels, learn)
        return FittedLabels(fitted.label_set, fitted.fit)

    def calibrate(self, name: str, given: NewCalibration) -> FittedLabels:
        """Send images with labels, and images of none of them, to calibrate on.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be fitted on the images.
        """
        with open_client(self._url) as client:
            label_set = client.label_sets.get(name)
            found = labelled_files(given.data, _names_of(label_set), label_set.reference)
            unknown = unknown_files(given.unknown)

            def fit(part: Part[str | None]) -> Fitted:
                return client.label_sets.calibrate(
                    label_set.reference,
                    part.images,
                    part.labels,
                    mode=given.options.mode,
                    keep=given.options.keep,
                    target_precision=given.options.target_precision,
                    conformal=given.options.conformal,
                    per_label=given.options.per_label,
                    replace=given.replace and part.first,
                )

            labels = [label_set.labels[column] for column in found.columns]
            fitted = send_in_parts(
                [*found.files, *unknown], [*labels, *[None for _ in unknown]], fit
            )
        return FittedLabels(fitted.label_set, fitted.head, fitted.fit)


def _names_of(label_set: LabelSet) -> dict[str, int]:
    """Return the column of each label by its names, as a label set on this machine has them."""
    details = label_set.details
    return columns_by_name(
        [(text, *(details[text].aliases if text in details else ())) for text in label_set.labels]
    )
