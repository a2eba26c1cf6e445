from basam.masks.boxes import tight_box as tight_box
from basam.masks.cleaning import Cleaning as Cleaning
from basam.masks.cleaning import without_small_regions as without_small_regions
from basam.masks.outlines import outlines_of as outlines_of
from basam.masks.rle import decode_segmentation as decode_segmentation
from basam.masks.rle import encode_mask as encode_mask
from basam.masks.rle import is_whole as is_whole
from basam.masks.runs import RunMask as RunMask
