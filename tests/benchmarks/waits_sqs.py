"""An SQS that answers only how many messages its queues hold, always three, and notes when it was asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ATTRIBUTES = {
    "ApproximateNumberOfMessages": "3",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
    "VisibilityTimeout": "30",
}


class CountingSqs(ThreadingHTTPServer):
    """``POST /`` is the request GetQueueAttributes of any queue; ``GET /`` tells when each queue was asked about."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: CountingSqs
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.headers["X-Amz-Target"].endswith(".GetQueueAttributes"):
            self._send({"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": "only counts"}, 400)
            return
        with self.server.lock:
            self.server.asked[body["QueueUrl"].rpartition("/")[2]].append(time.time())
        self._send({"Attributes": {name: ATTRIBUTES[name] for name in body["AttributeNames"] if name in ATTRIBUTES}})

    def do_GET(self) -> None:
        with self.server.lock:
            self._send(self.server.asked)

    def _send(self, answer: object, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    CountingSqs(int(sys.argv[1])).serve_forever()
