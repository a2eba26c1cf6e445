from basam.predict.predictor import Predictor as Predictor
from basam.predict.resize import Frame as Frame
