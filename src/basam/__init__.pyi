from basam.errors import BasamError as BasamError
from basam.families import UnsupportedModelError as UnsupportedModelError
from basam.files import ImageError as ImageError
from basam.method import BiasMode as BiasMode
from basam.model import attach as attach
from basam.model import attached as attached
from basam.model import detach as detach
from basam.model import load as load
from basam.predict import AutomaticMasks as AutomaticMasks
from basam.predict import Predictor as Predictor

__version__: str
