"""Hypothesis strategies for every message, made from msgspec's own description of the types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import Raw
from msgspec import inspect as kinds

from pulp.rmi.messages import Message, ToAgent, ToServer

TO_AGENT: tuple[type[Message], ...] = get_args(ToAgent)
TO_SERVER: tuple[type[Message], ...] = get_args(ToServer)

Strategy = st.SearchStrategy[Any]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
raw_values = json_values.map(lambda value: Raw(msgspec.json.encode(value)))


def messages(*types: type[Message]) -> Strategy:
    """Any message of these types, optional fields present or not."""
    return st.one_of([strategy_of(kinds.type_info(type_)) for type_ in types])


def strategy_of(node: Any) -> Strategy:
    return _MAKERS[type(node)](node)


def _text(node: Any) -> Strategy:
    if node.pattern:
        return st.from_regex(node.pattern, fullmatch=True)
    return texts.filter(lambda text: len(text) >= (node.min_length or 0))


def _bounds(node: Any) -> tuple[int, int]:
    least, most = -(2**53), 2**53
    return (least if node.ge is None else node.ge, most if node.le is None else node.le)


def _mapping(node: Any) -> Strategy:
    return st.dictionaries(strategy_of(node.key_type), strategy_of(node.value_type), max_size=3)


def _struct(node: Any) -> Strategy:
    fields = [field for field in node.fields if field.name != "v"]
    required = {f.name: strategy_of(f.type) for f in fields if f.required}
    optional = {f.name: strategy_of(f.type) for f in fields if not f.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: node.cls(**values))


_MAKERS: dict[type, Callable[[Any], Strategy]] = {
    kinds.IntType: lambda node: st.integers(*_bounds(node)),
    kinds.FloatType: lambda node: st.floats(node.ge, node.le),
    kinds.StrType: _text,
    kinds.BoolType: lambda node: st.booleans(),
    kinds.NoneType: lambda node: st.none(),
    kinds.RawType: lambda node: raw_values,
    kinds.AnyType: lambda node: json_values,
    kinds.LiteralType: lambda node: st.sampled_from(node.values),
    kinds.ListType: lambda node: st.lists(strategy_of(node.item_type), max_size=3),
    kinds.VarTupleType: lambda node: st.lists(strategy_of(node.item_type), max_size=3).map(tuple),
    kinds.DictType: _mapping,
    kinds.UnionType: lambda node: st.one_of([strategy_of(member) for member in node.types]),
    kinds.StructType: _struct,
}
