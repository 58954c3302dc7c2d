"""The API's frame: /api/v1, its OpenAPI document and the page that shows it, its error shape.

Routes are in the features' `api.py`.
"""

from typing import Any

import marshmallow as ma
from flask import Flask
from flask_smorest import Api

from app.web import api_docs

PREFIX = "/api/v1"


class ErrorDetail(ma.Schema):
    code = ma.fields.String(required=True, metadata={"description": "For programs; stable.", "example": "no_qr_found"})
    message = ma.fields.String(required=True, metadata={"description": "For people, in the reader's language."})
    fields_ = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        required=True,
        data_key="fields",
        metadata={"description": "The same, by input."},
    )


class ErrorAnswer(ma.Schema):
    error = ma.fields.Nested(ErrorDetail, required=True)


class HuoziApi(Api):
    ERROR_SCHEMA = ErrorAnswer

    def _register_error_handlers(self) -> None:
        """Nothing: `web.errors` answers the API too."""


def init_app(app: Flask, version: str) -> Any:
    """The Api on which the features' `api.py` blueprints are registered."""
    app.config.update(
        API_TITLE="Huozi",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Live codes: printed once, routed at every scan."},
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "security": [{"token": []}],
        },
    )
    api = HuoziApi(app)
    app.register_blueprint(api_docs.blueprint(PREFIX, lambda: api.spec.to_dict()))
    return api
