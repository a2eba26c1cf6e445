"""Choosing a `BiasMode`: by masks on a training split (`labelled`), or by attention alone on any photographs (`unlabelled`)."""
