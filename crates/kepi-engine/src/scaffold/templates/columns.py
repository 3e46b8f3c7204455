"""Columns of the contract as lists, and back: the same in every plugin."""

from componentize_py_types import Err
from wit_world.imports import types
from words import words


def signature(name, params):
    """Describes a function whose result and parameters are floats; a name that ends in `?` may be left out of a call."""
    float_ = types.DataType.FLOAT
    params = [types.Param(param.rstrip("?"), [float_], param.endswith("?")) for param in params]
    return types.Signature(name, params, float_, False)


def floats(arg):
    """The values of a column of floats; None is missing."""
    if not isinstance(arg.values, types.Values_Floats):
        raise failed("an argument is no column of floats")
    values, known = arg.values.value, arg.validity
    if known is None:
        return values
    return [value if known[row // 8] >> (row % 8) & 1 else None for row, value in enumerate(values)]


def column(values):
    """A column from values of which some are None."""
    validity = bytearray((len(values) + 7) // 8)
    for row, value in enumerate(values):
        if value is not None:
            validity[row // 8] |= 1 << (row % 8)
    return types.Column(types.Values_Floats([0.0 if value is None else value for value in values]), bytes(validity))


def failed(message):
    """To be raised: the plugin failed."""
    return Err(types.Error_Failed(message))


def bad_argument(message):
    """To be raised: what it was given makes no sense, or is too little."""
    return Err(types.Error_BadArgument(message))


def call(function, *args):
    """Calls the author's part. What goes wrong in it is told."""
    try:
        return function(*args)
    except Err:
        raise
    except Exception as error:
        raise failed(words(error))
