"""OpenAPI 3.1 of the routes, made from their declarations and from the very types that check requests and shape answers."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, get_origin

import msgspec
from msgspec import Struct

from pulp.server.api.types import Problem
from pulp.server.webservices.problems import PROBLEM_JSON
from pulp.server.webservices.queries import NoQuery
from pulp.server.webservices.routes import Controller, Route

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_BEARER = "token"
_KEY_HEADER: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request, within a day, answers with what the first one made.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_WAITING = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def describe(controllers: Iterable[type[Controller]], version: str) -> Schema:
    """The whole document."""
    controllers = tuple(controllers)
    schemas, components = _schemas(controllers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pulp",
            "version": version,
            "description": "Packages on many hosts: asked for here, done by their agents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {c.path: _path_item(c, schemas) for c in controllers},
        "components": {
            "schemas": components,
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(
    controllers: tuple[type[Controller], ...],
) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Each type's schema or reference, and what the references mean."""
    types: list[Any] = [Problem]
    for route in (r for c in controllers for r in c.routes().values()):
        types += [t for t in (route.body, route.answer) if t is not None and t not in types]
    out, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    return dict(zip(types, out, strict=True)), components


def _path_item(controller: type[Controller], schemas: dict[Any, Schema]) -> Schema:
    item: Schema = {
        method.lower(): _operation(controller, route, schemas)
        for method, route in controller.routes().items()
    }
    if controller.parameters():
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in controller.parameters()
        ]
    return item


def _operation(controller: type[Controller], route: Route, schemas: dict[Any, Schema]) -> Schema:
    operation: Schema = {
        "operationId": f"{route.method.lower()}{controller.__name__}",
        "summary": route.summary,
        "responses": _responses(controller, route, schemas),
        "security": [{_BEARER: []}] if route.role is not None else [],
    }
    if route.role is not None:
        operation["description"] = f"Needs the role {route.role.label} or a higher one."
    parameters = list(_query_parameters(route.query))
    if route.once:
        parameters.append(_KEY_HEADER)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(f.required for f in msgspec.structs.fields(route.body)),
            "content": {"application/json": {"schema": schemas[route.body]}},
        }
    return operation


def _query_parameters(query: type[Struct]) -> Iterable[Schema]:
    if query is NoQuery:
        return
    (schema,), components = msgspec.json.schema_components([query], ref_template="{name}")
    properties = components[schema["$ref"]]["properties"]
    for field in msgspec.structs.fields(query):
        name = field.encode_name
        if name == "notes":
            yield _notes(properties[name])
            continue
        parameter: Schema = {
            "name": name,
            "in": "query",
            "required": field.required,
            "schema": _without_null(properties[name]),
        }
        if get_origin(field.type) is list:
            parameter |= {"style": "form", "explode": True}
        yield parameter


def _notes(schema: Schema) -> Schema:
    """`note.KEY=VALUE`: the properties of an exploded form are parameters of their own."""
    return {
        "name": "notes",
        "in": "query",
        "required": False,
        "style": "form",
        "explode": True,
        "description": "note.KEY=VALUE: consumers whose note KEY is VALUE; may be repeated.",
        "schema": {
            "type": "object",
            "propertyNames": {"pattern": "^note\\.[A-Za-z0-9_.-]{1,64}$"},
            "additionalProperties": schema["additionalProperties"],
        },
    }


def _without_null(schema: Schema) -> Schema:
    """A query has no null: the parameter is left out instead."""
    schema = {key: value for key, value in schema.items() if key != "default" or value is not None}
    choices = [c for c in schema.get("anyOf", ()) if c != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema |= choices[0]
    return schema


def _responses(controller: type[Controller], route: Route, schemas: dict[Any, Schema]) -> Schema:
    done: Schema = {"description": route.status.phrase}
    if route.answer is not None:
        schema = {"type": "string"} if route.answer is str else schemas[route.answer]
        done["content"] = {route.media.partition(";")[0]: {"schema": schema}}
    if route.location:
        done["headers"] = {"Location": _header("Where it is.", "string", required=True)}
    responses = {str(route.status.value): done}
    for status in sorted(_problems(controller, route)):
        responses[str(status.value)] = _problem(status, schemas)
    return responses


def _problems(controller: type[Controller], route: Route) -> set[HTTPStatus]:
    """What a route can refuse by its shape, and what it says of itself."""
    found = {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        *route.problems,
    }
    if route.role is not None:
        found |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if controller.parameters():
        found.add(HTTPStatus.NOT_FOUND)
    if route.body is not None:
        found |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
    return found


def _problem(status: HTTPStatus, schemas: dict[Any, Schema]) -> Schema:
    answer: Schema = {
        "description": status.phrase,
        "content": {PROBLEM_JSON: {"schema": schemas[Problem]}},
    }
    if status in _WAITING:
        answer["headers"] = {"Retry-After": _header("Seconds.", "string", required=False)}
    return answer


def _header(description: str, kind: str, *, required: bool) -> Schema:
    return {"description": description, "required": required, "schema": {"type": kind}}
