"""Comma-separated values, read and written."""

from tinycsv.reader import CsvError, parse, records
from tinycsv.writer import dump, quoted

__all__ = ["CsvError", "dump", "parse", "quoted", "records"]
