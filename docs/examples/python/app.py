#!/usr/bin/env python3
"""POST /messages {"to": "ada@example.com", "body": "hi"} sends a message, and answers with how it ended."""
import json
import os
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis  # Debian: python3-redis; pip: redis

QUEUE = os.environ.get("QUEUE", "xmpp:outbound")
TTL = 8    # seconds after which Bridge no longer begins to send: whoever asked has gone
WAIT = 12  # seconds that a request waits: the ttl, and the hold of grade "held"

# The client is safe for many threads: each blocked BLPOP takes a connection of its own from the pool.
store = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"), decode_responses=True)

STATUS = {
    "accepted": 200,  # the XMPP server has it
    "held": 200,      # and lived on for a while
    "bounced": 502,   # the server, or one behind it, sent it back
    "dead": 400,      # it cannot be sent as it is; "reason" says why
    "expired": 504,   # its ttl was over first
}


def send(to, body):
    reply = "bridge:reply:" + uuid.uuid4().hex  # nobody else can guess it
    envelope = {"to": to, "body": body, "ttl": TTL, "replyTo": reply}
    store.rpush(QUEUE, json.dumps(envelope))
    answer = store.blpop(reply, timeout=WAIT)
    if answer is None:
        return 504, {"ending": "unknown"}  # still queued, or under way: it may arrive yet
    outcome = json.loads(answer[1])
    return STATUS.get(outcome["ending"], 500), outcome


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/messages":
            return self.answer(404, {"error": "POST /messages"})
        try:
            if "Content-Length" not in self.headers:
                return self.answer(411, {"error": "Content-Length: this server reads no chunks"})
            size = int(self.headers["Content-Length"])
            if size > 65536:
                return self.answer(413, {"error": "at most 64 KiB"})
            request = json.loads(self.rfile.read(size))
            to, body = request["to"], request["body"]
            if not isinstance(to, str) or not isinstance(body, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return self.answer(400, {"error": 'a JSON object with the texts "to" and "body"'})
        try:
            self.answer(*send(to, body))
        except redis.RedisError:
            self.answer(503, {"error": "Redis is away"})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
