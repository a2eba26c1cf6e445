from basam.predict.automatic.asking import MaskCandidate as MaskCandidate
from basam.predict.automatic.generator import AutomaticMasks as AutomaticMasks
