"""Rows of other shapes and files as task rows."""
