"""Measuring a model on data sets: prompts, metrics, runs, reports."""
