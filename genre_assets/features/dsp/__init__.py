"""Signal processing: the kernels, which know samples and frames and nothing of a lake."""
