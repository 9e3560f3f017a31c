"""Midjourney's prompt language: pure functions from text to text and findings, without I/O.

A prompt passes through these modules in order; each can be used on its own:

    typography   fix dashes, quotes, spaces and full-width characters among the parameters
    permute      expand `{red, green} bird` into several prompts
    parse        split a prompt into images, words and parameters, without losing a character
    compose      join images, text, presets and options into the prompt that is sent
    check        find mistakes and likely mistakes

`parameters` is the table of Midjourney's parameters that all of them read.
"""
