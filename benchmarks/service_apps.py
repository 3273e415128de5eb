"""What is measured, each in a process of its own: our service, a plain endpoint, no server at all.

    python -m benchmarks.service_apps ours|plain --model free|batching|FOLDER --port N
    python -m benchmarks.service_apps bare --model FOLDER

``free`` costs nothing and ``batching`` 4 ms a call and 0.125 ms an input, like a device that gains
from batches. ``plain`` is what a first version of a service looks like: one function, one model,
a lock, because models are not re-entrant.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import uvicorn
from fastapi import Body, FastAPI
from pydantic import BaseModel

from core.types import FloatArray, PixelArray
from encoders.confidence import Calibration
from encoders.embedding import encode_image_bytes
from encoders.encoder import Encoder
from encoders.loading import Runtime, load_encoder
from encoders.preprocessing import Preprocessing
from index.adding import NewImage
from index.gallery import Gallery
from index.query import Query, parse_query
from service.server import run_server
from service.settings import load_settings

_CALL_S, _INPUT_S = 0.004, 0.000_125
_BARE_BATCH = 16


class CostModel:
    """An encoder that only takes time; a text or picture always gets the same vector."""

    name = "cost"
    encoder_id = "c057000000000001"
    dim = 512
    preprocessing = Preprocessing(image_size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    logit_scale, logit_bias, context_length = 100.0, 0.0, 77
    calibration: Calibration | None = None

    def __init__(self, *, call_s: float, input_s: float) -> None:
        """Take ``call_s`` a call and ``input_s`` an input."""
        self._call_s, self._input_s = call_s, input_s
        table_DD = np.random.default_rng(0).standard_normal((self.dim, self.dim), np.float32)
        # Of a real model no two pictures are equally near: many ties would cost each search more.
        self._table_DD = table_DD / np.linalg.norm(table_DD, axis=1, keepdims=True)

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return unit vectors that follow the pixels."""
        return self._vectors([hash(pixels.tobytes()) for pixels in pixels_NSS3])

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors that follow the texts."""
        return self._vectors([hash(text) for text in texts])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words."""
        return [len(text.split()) for text in texts]

    def clean_text(self, text: str) -> str:
        """Return the text as it is."""
        return text

    def close(self) -> None:
        """Do nothing."""

    def _vectors(self, seeds: Sequence[int]) -> FloatArray:
        if self._call_s:
            time.sleep(self._call_s + self._input_s * len(seeds))
        vectors_ND: FloatArray = self._table_DD[[seed % self.dim for seed in seeds]]
        return vectors_ND


class EmbeddingBody(BaseModel):
    """The fields of the OpenAI shape that a plain endpoint reads."""

    input: list[str]
    model: str
    modality: Literal["text", "image"] = "text"


class Embedding(BaseModel):
    """One vector."""

    object: str
    index: int
    embedding: list[float]


class EmbeddingAnswer(BaseModel):
    """The answer of a plain endpoint."""

    object: str
    data: list[Embedding]
    model: str


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ours", "plain", "bare"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--runtime", choices=("openvino", "torch"), default="openvino")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--images", type=Path, help="Folder of JPEG files, for bare.")
    arguments = parser.parse_args()
    encoder = open_model(arguments.model, arguments.runtime, arguments.precision)
    if arguments.what == "ours":
        serve_ours(encoder, arguments.port)
    elif arguments.what == "plain":
        uvicorn.run(plain_app(encoder), port=arguments.port, log_level="warning")
    else:
        print(json.dumps(bare(encoder, arguments.images)))


def open_model(model: str, runtime: Runtime, precision: str) -> Encoder:
    """Return a model that only costs time, or one from a folder."""
    costs = {"free": (0.0, 0.0), "batching": (_CALL_S, _INPUT_S)}
    if model in costs:
        call_s, input_s = costs[model]
        return CostModel(call_s=call_s, input_s=input_s)
    chosen: Literal["float32", "bfloat16"] = "bfloat16" if precision == "bfloat16" else "float32"
    return load_encoder(model, runtime=runtime, precision=chosen)


def serve_ours(encoder: Encoder, port: int) -> None:
    """Serve a new gallery with a few hundred items."""
    with tempfile.TemporaryDirectory() as folder:
        with Gallery.open(Path(folder), encoder) as gallery:
            gallery.add([NewImage(png(number), id=f"n{number}") for number in range(256)])
        options = {"gallery": Path(folder), "port": port, "log_level": "WARNING"}
        run_server(load_settings(options=options, environment={}), encoder=encoder)


def plain_app(encoder: Encoder) -> FastAPI:
    """Return an app with one route, the way it is written first."""
    app = FastAPI()
    lock = threading.Lock()

    @app.post("/v1/embeddings", response_model=EmbeddingAnswer)
    def embeddings(body: Annotated[EmbeddingBody, Body()]) -> EmbeddingAnswer:
        """Embed the inputs of one request."""
        if body.modality == "text":
            with lock:
                vectors_ND = encoder.encode_texts(body.input)
        else:
            images = [base64.b64decode(text.partition(",")[2]) for text in body.input]
            with lock:
                found = encode_image_bytes(encoder, images)
            vectors_ND = np.stack([vector for vector in found if isinstance(vector, np.ndarray)])
        data = [
            Embedding(object="embedding", index=place, embedding=vector_D.tolist())
            for place, vector_D in enumerate(vectors_ND)
        ]
        return EmbeddingAnswer(object="list", data=data, model=body.model)

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        """Say that it runs."""
        return {"status": "ready"}

    return app


def bare(encoder: Encoder, images: Path) -> dict[str, float]:
    """Measure the model without a server: one text, texts and images in batches, memory."""
    texts = [f"a photo of the number {number}" for number in range(512)]
    files = [path.read_bytes() for path in sorted(images.iterdir())]
    encoder.encode_texts(texts[:_BARE_BATCH])
    encode_image_bytes(encoder, files[:_BARE_BATCH])
    found = {"text_ms": median_ms(lambda text: encoder.encode_texts([text]), texts[:100])}
    started = time.perf_counter()
    for start in range(0, len(texts), 64):
        encoder.encode_texts(texts[start : start + 64])
    found["texts_per_s"] = len(texts) / (time.perf_counter() - started)
    started = time.perf_counter()
    for start in range(0, len(files), _BARE_BATCH):
        encode_image_bytes(encoder, files[start : start + _BARE_BATCH])
    found["images_per_s"] = len(files) / (time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder, Gallery.open(Path(folder), encoder) as gallery:
        gallery.add([NewImage(png(number), id=f"n{number}") for number in range(256)])
        found["search_ms"] = median_ms(
            lambda text: gallery.search(Query(parse_query(text), k=10)), texts[100:200]
        )
        page = os.sysconf("SC_PAGE_SIZE")
        found["rss_mb"] = page * int(Path("/proc/self/statm").read_text().split()[1]) / 2**20
    return found


def median_ms(act: object, inputs: Sequence[str]) -> float:
    """Return the median milliseconds of a call."""
    assert callable(act)
    times = []
    for text in inputs:
        started = time.perf_counter()
        act(text)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def png(number: int) -> bytes:
    """Return a small picture of its own colour."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number * 7 % 256, number * 31 % 256)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


if __name__ == "__main__":
    main()
