from basam.predict.predictor import Predictor as Predictor
from basam.predict.resize import Frame as Frame
from basam.predict.sizes import MAX_SIDE as MAX_SIDE
