"""Making: networks, preconditioning and loss, the theoretical optimum, training, sampling.

A *denoiser* here is any callable ``D(x, sigma, labels=None)``: x float (B, *shape), sigma float (B,),
labels int64 (B,) or None; it returns the estimate of the clean x, of the same shape. Trained networks
and the theoretical optimum share this contract, so the sampler cannot tell them apart.
"""
