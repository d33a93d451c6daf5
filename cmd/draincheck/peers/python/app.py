"""A WSGI application for gunicorn."""
import time


def app(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    start_response("200 OK", [("Content-Length", "6"), ("Content-Type", "text/plain")])
    return [b"hello\n"]
