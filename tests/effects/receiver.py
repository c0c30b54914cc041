"""An HTTP server on loopback that takes posts, and a message to post."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from effects.channel import Outgoing
from tests.factories import START


class Receiver:
    """Takes posts on loopback, and answers as it is told; it keeps what it was sent."""

    def __init__(self):
        receiver, self.posts, self.status, self.heads, self.body = self, [], 204, {}, b""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in receiver.heads.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def message(**values):
    usual = {
        "key": "main/1:2:escalate:webhook.shop",
        "kind": "escalate",
        "recipient": None,
        "subject": "Hi 你好",
        "body": "text\n",
    }
    return Outgoing(**{**usual, "body": "text\n", "written_at": START, "thread": "main/1", **values})
