"""The benchmark: this engine, transformers and llama.cpp on one machine, in turn."""
