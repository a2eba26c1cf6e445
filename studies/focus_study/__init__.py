"""What the decision table of docs/results/focus.md is made from: situations, ways of encoding, and their cost."""
