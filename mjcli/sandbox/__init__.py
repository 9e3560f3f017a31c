"""An embedded stand-in for the API: real HTTP on the loopback interface, no account, no cost.

It shares no code with the client, so that a mistake in one is not confirmed by the other.

    sandbox      start and stop: a server, its store, its callbacks
    server       threads and open connections
    handler      one connection: HTTP requests and responses, streams
    endpoints    from a request to a job, and the tasks endpoint
    fields       checks of request fields, and refusals
    prompts      what the sandbox understands of a prompt
    faults       failures, errors and cuts at given rates
    store        jobs and uploads in a SQLite file
    callbacks    delivery to callback URLs
    results      events, results and task records of a job
    links        signed links to images
    serving      where a database is served beyond one command
    files        images, videos and uploads under their links
    images       images and how each action changes them
    drawing      PNG files, with `scenes` and `font`
    videos       placeholder MP4 files
"""

from .options import SandboxOptions
from .sandbox import Sandbox
from .serving import serving_url

__all__ = ["Sandbox", "SandboxOptions", "serving_url"]
