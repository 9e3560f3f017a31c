"""Midjourney's prompt language."""
