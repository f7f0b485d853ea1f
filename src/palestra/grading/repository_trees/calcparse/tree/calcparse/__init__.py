"""Arithmetic as people write it."""

from calcparse.evaluate import evaluate, value_of
from calcparse.parser import parse
from calcparse.tokens import CalcError, tokens_of

__all__ = ["CalcError", "evaluate", "parse", "tokens_of", "value_of"]
