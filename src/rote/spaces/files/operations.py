"""The operations that a TorchScript file may use: those of networks, and none that reaches out of them.

Not among them: reading or writing files (`from_file`, `save`), printing and warning, calls to other
machines and threads (`rpc_sync`, `fork`), random numbers, memory that was not set (`empty`, `resize_`),
views by strides, sparse and quantized tensors, and everything that is not torch's own. An operation that
ends in an underscore changes its argument in place, and is allowed where the one without is.
"""

from __future__ import annotations

_ATEN = """
Bool Float FloatImplicit Int IntImplicit ScalarImplicit Size abs absolute acos
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
adaptive_max_pool2d add addbmm addcdiv addcmul addmm addmv addr all amax amin aminmax any append
arange argmax argmin argsort asin atan atan2 avg_pool1d avg_pool2d avg_pool3d baddbmm batch_norm
bitwise_and bitwise_not bitwise_or bitwise_xor bmm broadcast_tensors broadcast_to cat cdist ceil
celu channel_shuffle chunk clamp clamp_max clamp_min clip clone concat concatenate
constant_pad_nd contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d
conv_transpose3d copy cos cosh cosine_similarity count_nonzero cpu cuda cumprod cumsum detach
device diag diagonal dim div divide dot dropout einsum elu embedding eq equal erf erfc exp
expand expand_as expm1 extend eye feature_dropout fft_fft2 fft_ifft2 fft_irfft2 fft_rfft2 fill
flatten flip floor floor_divide floordiv fmod format frac frobenius_norm full full_like gather
ge gelu get glu grid_sampler group_norm gt hardshrink hardsigmoid hardswish hardtanh im2col imag
index index_add index_fill index_put index_select insert instance_norm is_complex is_contiguous
is_floating_point is_grad_enabled is_scripting isfinite isinf isnan item items keys l1_loss
layer_norm le leaky_relu len lerp linalg_norm linalg_vector_norm linear linspace list log log10
log1p log2 log_sigmoid log_softmax logical_and logical_not logical_or logical_xor logit
logsumexp lt masked_fill masked_scatter matmul matrix_exp max max_pool1d max_pool2d max_pool3d
maximum mean median meshgrid min minimum mish mm moveaxis movedim mul multiply mv nan_to_num
narrow native_group_norm native_layer_norm ne neg negative new_full new_ones new_zeros nonzero
norm numel numpy_T one_hot ones ones_like outer pad pairwise_distance permute pixel_shuffle
pixel_unshuffle pop positive pow prelu prod real reciprocal reflection_pad1d reflection_pad2d
relu relu6 remainder repeat repeat_interleave replication_pad1d replication_pad2d reshape
reshape_as reverse rms_norm roll rot90 round rrelu rsqrt rsub scaled_dot_product_attention
scatter scatter_add select selu sigmoid sign silu sin sinc sinh size slice smooth_l1_loss
softmax softplus softshrink sort split split_with_sizes sqrt square squeeze stack std std_mean
str stride sub subtract sum swapaxes swapdims t take take_along_dim tan tanh tensor tensor_split
tensordot threshold tile to topk transpose tril triu true_divide trunc type_as unbind unflatten
unfold unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d
upsample_nearest2d values var var_mean view view_as view_as_complex view_as_real vstack hstack
where zero zeros zeros_like _convolution _convolution_mode _softmax _log_softmax
_scaled_dot_product_flash_attention_for_cpu _unsafe_view _upsample_bilinear2d_aa
_upsample_bicubic2d_aa _weight_norm _set_item __and__ __contains__ __derive_index __getitem__
__interpolate __is__ __isnot__ __lshift__ __not__ __or__ __range_length __round_to_zero_floordiv
__rshift__ __upsample __xor__
"""
_PRIM = """
CallFunction CallMethod Constant ConstantChunk DictConstruct GetAttr If IfThenElse ListConstruct
ListUnpack Loop NumToTensor RaiseException TupleConstruct TupleIndex TupleSlice TupleUnpack
Uninitialized abs data device dtype is_cpu is_cuda isinstance layout max min rangelist
requires_grad unchecked_cast unchecked_unwrap_optional
"""
ATEN, PRIM = frozenset(_ATEN.split()), frozenset(_PRIM.split())


def is_allowed(kind: str) -> bool:
    """Say whether an operation, such as "aten::relu_", is one of networks.

    >>> [is_allowed(kind) for kind in ("aten::relu_", "aten::from_file", "prim::Print", "my::op")]
    [True, False, False, False]
    """
    namespace, _, name = kind.partition("::")
    if namespace == "aten":
        return name in ATEN or name.removesuffix("_") in ATEN
    return namespace == "prim" and name in PRIM
