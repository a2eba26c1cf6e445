"""The torch modules that families put in place or build. They import the implementations that they extend, which takes
seconds; families import them when there is a model to work on."""
