from basam.scenes.canvas import Scene as Scene
from basam.scenes.folders import DATA_SETS as DATA_SETS
from basam.scenes.folders import folders_of as folders_of
from basam.scenes.rendering import DOMAINS as DOMAINS
from basam.scenes.rendering import mosaic as mosaic
from basam.scenes.rendering import render as render
from basam.scenes.sheet import write_sheet as write_sheet
from basam.scenes.writing import write_scenes as write_scenes
