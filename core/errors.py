"""Every error that Sightline raises on purpose.

    SightlineError
      UsageError                      the caller asked for something that makes no sense
        ConfigError                   a setting or recipe key is unknown or out of range
        QueryError                    a query, filter, cursor or k that cannot be answered
        LabelSetError                 labels or prompt templates that cannot make a classifier
        PairsError                    a pairs file that cannot be read, with its line
      NotFoundError                   an id, label set, model or file that does not exist
      ConflictError                   the request contradicts what is stored
        EncoderMismatchError          vectors of two different encoders would be compared
      ImageError                      image bytes that are refused, see ``code``
        ImageTooLargeError            more bytes, pixels or a longer side than the limit
        UnsupportedImageError         not one of the accepted formats
        UndecodableImageError         an accepted format, but truncated or corrupt
      ArtifactError                   a folder on disk that is not what its manifest says
        IntegrityError                a digest differs: a flipped byte, a truncated file
      EncoderError                    a model that cannot be loaded, exported or run
        ParityError                   an export that does not reproduce its source
      StorageError                    the collection cannot be read or written
        StorageFullError              the disk is full; nothing was stored
      FetchError                      an address on the web that does not give its content
      AuthenticationError             no API key, or one that is unknown or has expired
      AccessError                     the key, or the page that sends the request, may not do this
      TrainingError                   a training run that cannot start or go on
        NonFiniteLossError            the loss is NaN or infinite; no update was made
      BusyError                       over capacity now; try again later
      DeadlineError                   the request ran out of its time
      NotReadyError                   starting, stopping or degraded; try again later
      ServerError                     a server that is not reached, or answers as none of ours

Each message says what was wrong, the value, the limit and the remedy. Catch the base class to
catch them all:

    try:
        gallery.search(query)
    except SightlineError as error:
        print(error)
"""

from __future__ import annotations


class SightlineError(Exception):
    """Base of every deliberate error; ``code`` is stable and meant for machines."""

    code = "error"
    status: int | None = None
    """HTTP status, where the error came from a server."""
    request_id: str | None = None
    """``X-Request-ID`` of the request, to find it in the server's log."""

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        """Keep the message, an optional narrower code and the name of the offending parameter."""
        super().__init__(message)
        self.code = code or type(self).code
        self.param = param


class UsageError(SightlineError):
    """The caller asked for something that makes no sense."""

    code = "invalid_request"


class ConfigError(UsageError):
    """A setting or recipe key is unknown or out of range."""

    code = "invalid_config"


class QueryError(UsageError):
    """A query, filter, cursor or k that cannot be answered."""

    code = "invalid_query"


class LabelSetError(UsageError):
    """Labels or prompt templates that cannot make a classifier."""

    code = "invalid_labels"


class PairsError(UsageError):
    """A pairs file that cannot be read; the message names file and line."""

    code = "invalid_pairs"


class NotFoundError(SightlineError):
    """An id, label set, model or file that does not exist."""

    code = "not_found"


class ConflictError(SightlineError):
    """The request contradicts what is stored."""

    code = "conflict"


class EncoderMismatchError(ConflictError):
    """Vectors of two different encoders would be compared."""

    code = "encoder_mismatch"


class ImageError(SightlineError):
    """Image bytes that are refused; ``code`` says why."""

    code = "invalid_image"


class ImageTooLargeError(ImageError):
    """More bytes, more pixels or a longer side than the limit."""

    code = "image_too_large"


class UnsupportedImageError(ImageError):
    """Bytes that are not one of the accepted image formats."""

    code = "image_unsupported"


class UndecodableImageError(ImageError):
    """An accepted format whose content is empty, truncated or corrupt."""

    code = "image_undecodable"


class ArtifactError(SightlineError):
    """A folder on disk that is not what its manifest says."""

    code = "invalid_artifact"


class IntegrityError(ArtifactError):
    """A digest differs from the manifest: a flipped byte or a truncated file."""

    code = "integrity"


class EncoderError(SightlineError):
    """A model that cannot be loaded, exported or run."""

    code = "encoder"


class ParityError(EncoderError):
    """An export that does not reproduce its source model."""

    code = "parity"


class StorageError(SightlineError):
    """The collection cannot be read or written."""

    code = "storage"


class StorageFullError(StorageError):
    """The disk is full; nothing of the request was stored."""

    code = "storage_full"


class FetchError(SightlineError):
    """An address on the web that does not give its content; ``code`` says why."""

    code = "fetch"


class AuthenticationError(SightlineError):
    """A request without an API key where one is needed, or with one that is not valid."""

    code = "unauthenticated"


class AccessError(SightlineError):
    """What is known of the sender does not allow this request; ``code`` says why."""

    code = "forbidden"


class TrainingError(SightlineError):
    """A training run that cannot start or go on."""

    code = "training"


class NonFiniteLossError(TrainingError):
    """The loss is NaN or infinite; no update was made with it."""

    code = "non_finite_loss"


class BusyError(SightlineError):
    """Over capacity now; the same request may succeed later."""

    code = "busy"


class DeadlineError(SightlineError):
    """The request ran out of its time, or its client went away."""

    code = "deadline"


class NotReadyError(SightlineError):
    """The service is starting, stopping or degraded; the same request may succeed later."""

    code = "not_ready"


class ServerError(SightlineError):
    """A server that is not reached, or that answers as none of ours; ``code`` says which."""

    code = "server"
