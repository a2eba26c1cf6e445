from basam.attention.door import separable_attention as separable_attention
from basam.attention.low_precision import fast_products as fast_products
from basam.attention.reference import eager_attention as eager_attention
from basam.attention.sam_terms import bias_in_kernel as bias_in_kernel
from basam.attention.sam_terms import masked_attention as masked_attention
from basam.attention.sam_terms import relative_attention as relative_attention
from basam.attention.sam_terms import separable_bias as separable_bias
from basam.attention.triton_ops import triton_windows as triton_windows
