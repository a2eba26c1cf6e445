from basam.predict.automatic.decoding import MaskCandidate as MaskCandidate
from basam.predict.automatic.generator import AutomaticMasks as AutomaticMasks
from basam.predict.automatic.settings import POINTS_PER_BATCH as POINTS_PER_BATCH
from basam.predict.automatic.settings import AutomaticSettings as AutomaticSettings
