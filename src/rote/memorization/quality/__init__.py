"""Quality beside memorization: a model that copies nothing because it is broken is no success."""
