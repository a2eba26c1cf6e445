"""The pieces of `studies/extrapolation.py`: what is measured, how it is chosen, and the page that shows it."""
