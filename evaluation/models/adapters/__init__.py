"""Providers whose API is not OpenAI's, and what they have of their own."""
