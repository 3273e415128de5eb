"""Label sets, prompt templates and the zero-shot classifier."""
