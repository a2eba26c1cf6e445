from basam.predict.automatic.asking import Candidate as Candidate
from basam.predict.automatic.generator import AutomaticMasks as AutomaticMasks
