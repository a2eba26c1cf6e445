from basam.predict.focus import CLICK_RULES as CLICK_RULES
from basam.predict.focus import Focus as Focus
from basam.predict.predictor import Predictor as Predictor
from basam.predict.regions import Region as Region
from basam.predict.resize import Frame as Frame
from basam.predict.sizes import MAX_SIDE as MAX_SIDE
from basam.predict.views import View as View
