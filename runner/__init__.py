"""A batch runner for image-to-video manifests: never pays twice, never loses a paid video."""

__version__ = "0.1.0"
