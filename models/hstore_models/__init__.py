"""Features, property models, uncertainty and the model registry."""
