"""The settings of the service: the one reader of ``SIGHTLINE_*`` variables.

Precedence: command line, then environment, then TOML file, then the defaults below.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.config import from_environment, from_mapping, read_toml
from core.errors import ConfigError
from core.log import LogFormat
from core.types import JSONObject
from encoders.loading import Device, Runtime
from encoders.openvino_runtime import Precision
from index.query import MOST_K

ENVIRONMENT_PREFIX = "SIGHTLINE_"
FOREIGN_VARIABLES = frozenset({"SIGHTLINE_DEBUG"})
"""Variables with our prefix that the command line and the browser tests read for themselves."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
ImageFormat = Literal["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"]

_LARGEST_PORT = 65535
_MAY_BE_ZERO = frozenset({"port", "threads", "decode_threads", "text_cache_entries"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can set; each field is ``SIGHTLINE_<NAME>`` in the environment."""

    host: str = "127.0.0.1"
    """Address to listen on; only this machine by default, because there is no login yet."""
    port: int = 8000
    """TCP port; 0 takes a free one."""
    gallery: Path = Path("gallery")
    """Folder of the gallery to serve; it is created when it does not exist."""
    model: str | None = None
    """Model folder or open_clip source; unset takes the gallery's own model, else the starter."""
    runtime: Runtime = "auto"
    """What runs the model: ``openvino`` (no torch) or ``torch``; ``auto`` takes what fits it."""
    precision: Precision = "float32"
    """Arithmetic of the model; ``bfloat16`` is faster on hardware that has it."""
    device: Device = "auto"
    """Device of the torch runtime; ``auto`` takes CUDA where there is one."""
    compile_cache: Path | None = None
    """Folder where the openvino runtime keeps compiled models, for quicker starts; unset: none."""
    threads: int = 0
    """CPU threads of the model; 0 takes all cores."""
    decode_threads: int = 0
    """Images decoded at the same time; 0 takes all cores. Bounds the memory of decoding."""
    request_threads: int = 32
    """Requests worked on at the same time; more wait in line. Each costs one mostly idle thread."""
    read_only: bool = False
    """Refuse every request that changes something (403), and serve a gallery that another process
    may be writing."""
    image_formats: tuple[ImageFormat, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    """Accepted image formats; AVIF and TIFF can be added, their decoders are larger targets."""
    max_image_bytes: int = 20 * 2**20
    """Bytes of one image; 20 MiB holds what cameras write as JPEG."""
    max_image_pixels: int = 40_000_000
    """Pixels of one image, checked before decoding: a small file can unpack to gigabytes."""
    max_image_side: int = 20_000
    """Longer side of one image in pixels."""
    max_body_bytes: int = 64 * 2**20
    """Bytes of one request body, also of one sent without a Content-Length."""
    max_images: int = 64
    """Images of one request."""
    max_texts: int = 2048
    """Texts of one embedding request; the limit of the OpenAI API."""
    max_text_chars: int = 4096
    """Characters of one text or query; models read at most a few hundred."""
    max_k: int = 1000
    """Hits of one search, and items of one page of a listing; at most 1000."""
    max_prompts: int = 20_000
    """Labels times templates of one classifier: the texts that have to be embedded for it."""
    max_batch_images: int = 16
    """Images in one model call; on a CPU larger batches win nothing."""
    max_batch_texts: int = 64
    """Texts in one model call."""
    max_queued_images: int = 256
    """Images that may wait for the model; beyond it requests get 429."""
    max_queued_texts: int = 2048
    """Texts that may wait for the model; beyond it requests get 429."""
    max_requests: int = 256
    """Requests in flight; beyond it requests get 429 before their body is read."""
    request_timeout_s: float = 30.0
    """Seconds a request may take before it is answered with 504."""
    drain_timeout_s: float = 30.0
    """Seconds that requests in flight get to finish after SIGTERM."""
    retry_after_s: int = 1
    """Seconds named by the Retry-After header of 429 and 503 answers."""
    text_cache_entries: int = 10_000
    """Text embeddings kept in memory (2 KiB each at 512 dimensions); 0 keeps none."""
    cors_origins: tuple[str, ...] = ()
    """Web origins whose pages may call this service, for example ``https://shop.example``."""
    log_format: LogFormat = "console"
    """``console`` for people, ``json`` for log collectors."""
    log_level: LogLevel = "INFO"
    """Least important level that is written."""
    access_log: bool = True
    """Write one line a request: method, path, status, time; never the query."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ConfigError: a number out of range, or an empty list of formats.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in _MAY_BE_ZERO else 1
            if isinstance(value, int) and not isinstance(value, bool) and value < least:
                raise ConfigError(f"{field.name} = {value}: expected at least {least}")
            if isinstance(value, float) and not 0 < value < float("inf"):
                raise ConfigError(f"{field.name} = {value}: expected a number above 0")
        if self.port > _LARGEST_PORT:
            raise ConfigError(f"port = {self.port}: expected at most {_LARGEST_PORT}")
        if self.max_k > MOST_K:
            raise ConfigError(f"max_k = {self.max_k}: expected at most {MOST_K}")
        if not self.image_formats:
            raise ConfigError("image_formats is empty: name at least one, for example JPEG")


def load_settings(
    *,
    config: Path | None = None,
    options: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings from file, environment and command-line options, the last one wins.

    ``options`` that are ``None`` count as not given; ``environment`` is the process's own unless
    a test passes one.

    Raises:
        ConfigError: an unknown name or a value that does not fit; the message names its origin.
    """
    variables = os.environ if environment is None else environment
    ours = {key: text for key, text in variables.items() if key not in FOREIGN_VARIABLES}
    named = from_environment(Settings, ours, prefix=ENVIRONMENT_PREFIX)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers: list[tuple[str, Mapping[str, object]]] = [
        (str(config), read_toml(config) if config else {}),
        ("environment", named),
        ("command line", given),
    ]
    values: dict[str, object] = {}
    for where, layer in layers:
        checked = from_mapping(Settings, layer, where=where)
        values |= {name: getattr(checked, name) for name in layer}
    return from_mapping(Settings, values, where="settings")


def as_toml(settings: Settings) -> str:
    """Return the settings as the text of a TOML file that ``--config`` reads back."""
    lines = []
    for name, value in as_json(settings).items():
        lines.append(f"# {name} is not set" if value is None else f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def as_json(settings: Settings) -> JSONObject:
    """Return the settings as a JSON object."""
    values: JSONObject = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, tuple):
            values[field.name] = list(value)
        else:
            values[field.name] = str(value) if isinstance(value, Path) else value
    return values


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
