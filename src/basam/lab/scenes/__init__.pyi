from basam.lab.scenes.canvas import Scene as Scene
from basam.lab.scenes.folders import DATA_SETS as DATA_SETS
from basam.lab.scenes.folders import folders_of as folders_of
from basam.lab.scenes.rendering import DOMAINS as DOMAINS
from basam.lab.scenes.rendering import mosaic as mosaic
from basam.lab.scenes.rendering import render as render
from basam.lab.scenes.sheet import write_sheet as write_sheet
from basam.lab.scenes.writing import write_scenes as write_scenes
