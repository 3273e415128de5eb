"""Model folders, preprocessing, tokenizers and the runtimes that make embeddings."""
