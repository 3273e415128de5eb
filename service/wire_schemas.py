"""The JSON bodies of the wires of other projects: clip-retrieval and immich."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.schemas import Body


class KnnRequest(Body):
    """The body of clip-retrieval's ``/knn-service``; unused fields are null or empty."""

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "text": "a red car",
                    "modality": "image",
                    "num_images": 40,
                    "indice_name": "gallery",
                }
            ]
        },
    )

    modality: Literal["image", "text"] = "image"
    num_images: int = Field(ge=1, description="results with metadata and picture")
    num_result_ids: int | None = Field(
        default=None, ge=1, description="results in all; num_images when absent"
    )
    indice_name: str | None = Field(description="one of /indices-list; empty: the first")
    text: str | None = None
    image: str | None = Field(default=None, description="base64")
    image_url: str | None = None
    embedding_input: list[float] | None = Field(default=None, description="a vector of this model")
    deduplicate: bool | None = Field(default=False, description="drop results that look alike")
    use_mclip: bool | None = Field(default=False, description="refused: there is one model")
    use_safety_model: JsonValue = Field(default=None, description="changes nothing")
    use_violence_detector: JsonValue = Field(default=None, description="changes nothing")
    aesthetic_score: JsonValue = Field(default=None, description="changes nothing")
    aesthetic_weight: JsonValue = Field(default=None, description="changes nothing")


RowId = Annotated[int, Field(ge=0, lt=2**63)]


class RowsRequest(Body):
    """The body of clip-retrieval's ``/metadata``."""

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"ids": [1, 2], "indice_name": "gallery"}]},
    )

    ids: list[RowId]
    indice_name: str | None


class ImmichEntry(BaseModel):
    """What immich wants of one model."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    modelName: str
    options: dict[str, JsonValue] | None = None


class ImmichKinds(BaseModel):
    """The search task: by image, or by text."""

    model_config = ConfigDict(extra="forbid")

    visual: ImmichEntry | None = None
    textual: ImmichEntry | None = None


class ImmichEntries(BaseModel):
    """The form field ``entries`` of immich's ``/predict``."""

    model_config = ConfigDict(extra="forbid")

    clip: ImmichKinds
