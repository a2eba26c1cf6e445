"""At which size a photo is encoded where nobody says."""

# Longest side in pixels that a photo keeps. Time of global attention grows with its fourth power.
MAX_SIDE = 4096
