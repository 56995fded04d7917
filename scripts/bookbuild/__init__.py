"""Builds the chapters: runs their sources, and writes the executed notebooks."""
