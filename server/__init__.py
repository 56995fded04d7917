"""The companion SSE server: OpenAI's wire shapes over the book's own engine."""
