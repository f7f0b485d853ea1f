"""Datasets as training reads them, with NeMo Gym's steps and file names."""
