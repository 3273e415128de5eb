"""The collection of items and vectors, its FAISS index, the query language and the gallery."""
