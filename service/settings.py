"""The settings of the service: the one reader of ``SIGHTLINE_*`` variables.

Precedence: command line, then environment, then TOML file, then the defaults below.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from core.config import checked_values, from_environment, from_mapping, read_toml
from core.errors import ConfigError, UsageError
from core.log import LogFormat
from core.types import JSONObject
from core.web_address import parse_url
from encoders.loading import Device, Runtime
from encoders.tower_plan import PrecisionChoice
from index.query import MOST_K

ENVIRONMENT_PREFIX = "SIGHTLINE_"
FOREIGN_VARIABLES = frozenset({"SIGHTLINE_DEBUG", "SIGHTLINE_URL", "SIGHTLINE_API_KEY"})
"""Variables with our prefix that the command line and the browser tests read for themselves."""

Wire = Literal["clip-retrieval", "immich"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
ImageFormat = Literal["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"]

_LARGEST_PORT = 65535
_MAY_BE_ZERO = frozenset(
    {
        "port",
        "threads",
        "decode_threads",
        "text_cache_entries",
        "drain_notice_s",
        "image_cache_entries",
        "rate_limit",
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can set; each field is ``SIGHTLINE_<NAME>`` in the environment."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but this machine's own needs API keys, or ``allow_open``."""
    port: int = 8000
    """TCP port; 0 takes a free one."""
    gallery: Path = Path("gallery")
    """Folder of the gallery to serve; it is created when it does not exist."""
    reports_folder: Path | None = None
    """Folder whose reports of ``sightline evaluate`` the page shows to everybody who may search;
    they hold captions and small copies of pictures. Unset: none."""
    model: str | None = None
    """Model folder or open_clip source; unset takes the gallery's own model, else the starter."""
    runtime: Runtime = "auto"
    """What runs the model: ``openvino`` (no torch) or ``torch``; ``auto`` takes what fits it."""
    precision: PrecisionChoice = "auto"
    """Arithmetic of the model: ``float32``, ``bfloat16``, ``int8``; ``auto`` takes what ``sightline
    models tune`` chose on this machine, ``float32`` where the model was not tuned here."""
    device: Device = "auto"
    """Device of the torch runtime; ``auto`` takes CUDA where there is one."""
    compile_towers: bool = False
    """Let the torch runtime translate the model by ``torch.compile``: for GPUs; the first calls
    take up to minutes."""
    compile_cache: str = "auto"
    """Folder where the openvino runtime keeps compiled models, for quicker starts; ``auto``:
    ``sightline/compiled`` in ``XDG_CACHE_HOME`` or ``~/.cache``; ``off``: none."""
    threads: int = 0
    """CPU threads of the model; 0 takes all cores."""
    decode_threads: int = 0
    """Images decoded at the same time; 0 takes all cores. Bounds the memory of decoding."""
    request_threads: int = 32
    """Requests worked on at the same time; more wait in line. Each costs one mostly idle thread."""
    read_only: bool = False
    """Refuse every request that changes something (403), and serve a gallery that another process
    may be writing."""
    processes: int = 1
    """Processes that serve behind one port, each with its own model; more than one only with
    ``read_only``. Each listens on a port of its own as well: ``port`` plus 1, 2, and so on."""
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
    priority_aging_s: float = 0.5
    """Seconds after which waiting work goes first at the model, whatever its priority."""
    model_timeout_s: float = 60.0
    """Seconds of one model call after which the model counts as stuck: what waits gets 503."""
    max_requests: int = 256
    """Requests in flight; beyond it requests get 429 before their body is read."""
    max_cost: float = 128.0
    """Work in flight, in images (a text counts 0.2); beyond it requests get 429 unread."""
    max_bytes_in_flight: int = 512 * 2**20
    """Bytes of all request bodies in flight; beyond it requests get 429 unread."""
    request_timeout_s: float = 30.0
    """Seconds a request may take before it is answered with 504; a client may ask for less."""
    head_timeout_s: float = 10.0
    """Seconds the head of a request may take to arrive; after it the connection gets 408."""
    body_timeout_s: float = 20.0
    """Seconds the body of a request may take to arrive; after it the request gets 408."""
    max_head_bytes: int = 64 * 2**10
    """Bytes of the head of a request: its first line and all headers; beyond it 431."""
    drain_timeout_s: float = 30.0
    """Seconds that requests in flight get to finish after SIGTERM."""
    drain_notice_s: float = 0.5
    """Seconds between SIGTERM and closing the port, in which new requests and ``/readyz`` get 503;
    set it to the period of a load balancer's probe."""
    decode: Literal["thread", "process"] = "thread"
    """Where images are decoded: in threads of the service, or in child processes that may crash."""
    decode_timeout_s: float = 10.0
    """Seconds a child process gets for one image before it is killed (``decode = "process"``)."""
    decode_memory_bytes: int = 2**30
    """Address space of a child process (``decode = "process"``)."""
    retry_after_s: int = 1
    """Seconds named by the Retry-After header of 429 and 503 answers."""
    text_cache_entries: int = 10_000
    """Text embeddings kept in memory (2 KiB each at 512 dimensions); 0 keeps none."""
    image_cache_entries: int = 10_000
    """Embeddings of images in requests kept in memory, by content; 0 keeps none."""
    classifier_cache_entries: int = 32
    """Classifiers kept in memory; one of 1000 labels takes 2 MiB at 512 dimensions."""
    cors_origins: tuple[str, ...] = ()
    """Web origins whose pages may call this service, for example ``https://shop.example``."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that requests may give in ``Host`` where no keys are needed, besides this machine's
    own; with none, any name where other machines may ask anyway."""
    allow_open: bool = False
    """Listen for other machines although the gallery has no API keys."""
    public_page: bool = True
    """Show the page without a key; it asks for one before it shows anything of the gallery."""
    public_docs: bool = False
    """Show ``/docs`` and ``/openapi.json`` without a key where the gallery has keys."""
    public_metrics: bool = False
    """Answer ``/metrics`` without a key where the gallery has keys; else it needs ``admin``."""
    rate_limit: float = 0.0
    """Requests a second of one key, or of one address where no keys are needed; 0: no limit."""
    rate_burst: int = 100
    """Requests that may come at once after a quiet time; the page loads 60 thumbnails."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""
    fetch_urls: bool = False
    """Load images that requests name by ``image_url``, from the hosts of ``fetch_hosts`` alone."""
    fetch_hosts: tuple[str, ...] = ()
    """Hosts to load from: ``cdn.example``, ``*.cdn.example``, or ``*`` for every public host."""
    fetch_networks: tuple[str, ...] = ()
    """Private networks that may be loaded from all the same, for example ``10.1.0.0/16``."""
    fetch_timeout_s: float = 5.0
    """Seconds for one image by URL: name, connection, redirects and body."""
    fetch_threads: int = 8
    """Images loaded by URL at the same time."""
    wires: tuple[Wire, ...] = ("clip-retrieval", "immich")
    """Wires of other projects that are answered beside our own; see docs/compatible.md."""
    immich_models: tuple[str, ...] = ()
    """Names of immich's list under which this model answers, for example ``ViT-B-32__openai``."""
    otlp_endpoint: str | None = None
    """Address of an OpenTelemetry collector to send traces to by OTLP over HTTP, for example
    ``http://127.0.0.1:4318``; unset: no traces. Needs the extra ``otel``."""
    trace_ratio: float = 1.0
    """Share of the requests that are traced where they bring no ``traceparent`` of their own."""
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
            if isinstance(value, float) and not (
                0 < value < float("inf") or (value == 0 and least == 0)
            ):
                raise ConfigError(f"{field.name} = {value}: expected a number above 0")
        largest_port = _LARGEST_PORT - (self.processes if self.processes > 1 else 0)
        if self.port > largest_port:
            raise ConfigError(f"port = {self.port}: expected at most {largest_port}")
        if self.processes > 1 and not self.read_only:
            raise ConfigError(
                f"processes = {self.processes}: one process alone may write a gallery; set "
                "read_only, and run the one that writes beside them on another port"
            )
        if self.max_k > MOST_K:
            raise ConfigError(f"max_k = {self.max_k}: expected at most {MOST_K}")
        if not self.image_formats:
            raise ConfigError("image_formats is empty: name at least one, for example JPEG")
        if self.trace_ratio > 1:
            raise ConfigError(f"trace_ratio = {self.trace_ratio}: expected a share, at most 1")
        if self.otlp_endpoint is not None:
            _check_endpoint(self.otlp_endpoint)
        self._check_fetching()

    def _check_fetching(self) -> None:
        if self.fetch_urls and not self.fetch_hosts:
            raise ConfigError(
                "fetch_urls is true, but fetch_hosts is empty: name the hosts to load from, or "
                "'*' for every public one"
            )
        for text in self.fetch_networks:
            try:
                ip_network(text)
            except ValueError as error:
                raise ConfigError(
                    f"fetch_networks: {text!r} is no network ({error}); write for example "
                    "10.1.0.0/16"
                ) from error


def _check_endpoint(text: str) -> None:
    try:
        # It refuses a user name and a password too, so no setting holds a secret.
        parse_url(text)
    except UsageError as error:
        message = str(error).replace(" is not fetched", " cannot be used")
        raise ConfigError(
            f"otlp_endpoint: {message}; write for example http://127.0.0.1:4318"
        ) from error


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
        values |= checked_values(Settings, layer, where=where)
    return from_mapping(Settings, values, where="settings")


def compiled_folder(
    choice: str = "auto", *, environment: Mapping[str, str] | None = None
) -> Path | None:
    """Return the folder that ``compile_cache`` names, ``None`` where compiled models are not kept.

    ``environment`` is the process's own unless a test passes one.
    """
    if choice in {"", "off"}:
        return None
    if choice != "auto":
        return Path(choice).expanduser()
    variables = os.environ if environment is None else environment
    named = Path(variables.get("XDG_CACHE_HOME", ""))
    try:
        # The specification of that variable tells to ignore a relative path.
        caches = named if named.is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError:
        # A user without a home.
        return None
    return caches / "sightline" / "compiled"


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
