"""Nearest neighbours over embeddings and the frozen codebook; the only room that knows FAISS."""
