"""All groups of an aggregation; this plugin has none. The contract looks for the class here."""

from componentize_py_types import Err
from wit_world.exports import functions as contract
from wit_world.imports import types


class Accumulator(contract.Accumulator):
    @classmethod
    def open(cls, name):
        raise Err(types.Error_Failed(f"there is no aggregate `{name}`"))
