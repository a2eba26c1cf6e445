from basam.predict.predictor import Predictor as Predictor
from basam.predict.prompts import MAX_SIDE as MAX_SIDE
from basam.predict.resize import Frame as Frame
