"""A server that ends well: it takes what is queued, and says goodbye to its clients.

    python3 draining.py 8080 [127.0.0.1]
"""
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

draining = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep connections alive
    timeout = 5  # do not wait for a silent client for ever

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/slow":
            time.sleep(2)
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if draining.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # server_close waits for the requests that run

    def drain(self):
        """Takes what is in the accept queue now, and then closes it."""
        self.socket.setblocking(False)
        try:
            while True:
                request, address = self.socket.accept()
                request.setblocking(True)
                self.process_request(request, address)
        except BlockingIOError:
            self.server_close()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    server = Server((host, port), Handler)
    # Waited for, not handled: a handler runs in the middle of whatever the main thread does,
    # and what it does here is to start threads, which takes locks.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    accepting.start()
    signal.sigwait({signal.SIGTERM})
    draining.set()
    server.shutdown()
    accepting.join()
    server.drain()
