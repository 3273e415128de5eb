"""Model folders, preprocessing, tokenizers and the runtimes that turn images and texts into embeddings."""
