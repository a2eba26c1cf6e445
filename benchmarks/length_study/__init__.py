"""The pieces of `benchmarks/extrapolation.py`: what is measured, how it is chosen, and the page that shows it."""
