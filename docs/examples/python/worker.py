#!/usr/bin/env python3
"""Reads what people write to the component, prints it, and answers each message."""
import json
import os
import time

import redis  # Debian: python3-redis; pip: redis

QUEUE = os.environ.get("QUEUE", "xmpp:outbound")
INBOUND = "{%s}:inbound" % QUEUE
GROUP = "app"
# Each worker has a name of its own, the same after a restart: what it had read is given to it again.
WORKER = os.environ.get("WORKER", "worker-1")

store = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"), decode_responses=True)


def handle(entry, stanza):
    """Answers a message. The answer, the note that it was given, and XACK happen together or not at all."""
    step = store.pipeline(transaction=True)
    seen = "seen:" + stanza.get("stamp", entry)
    # A fault may bring a stanza twice, in two entries with one stamp: the second time it is only acknowledged.
    if stanza.get("kind") == "message" and stanza.get("type") != "error" and stanza.get("body") and not store.exists(seen):
        print(stanza["from"] + ": " + stanza["body"], flush=True)
        step.rpush(QUEUE, json.dumps({
            "to": stanza["from"],
            "from": stanza["to"],  # the address that was written to answers
            "body": "You said: " + stanza["body"],
        }))
    step.set(seen, 1, ex=86400)
    step.xack(INBOUND, GROUP, entry)
    step.execute()


def read(position):
    """Reads some entries; "0": those that this worker has read and not acknowledged, ">": new ones."""
    streams = store.xreadgroup(GROUP, WORKER, {INBOUND: position}, count=10, block=2000)
    entries = streams[0][1] if streams else []
    for entry, stanza in entries:
        handle(entry, stanza or {})  # empty: the stream was trimmed meanwhile
    return bool(entries)


def main():
    while True:
        try:
            try:
                store.xgroup_create(INBOUND, GROUP, id="0", mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):  # it is there already
                    raise
            print("reading " + INBOUND, flush=True)
            while read("0"):
                pass
            while True:
                read(">")
        except redis.RedisError as error:
            print(f"Redis: {error}; again in a second", flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main()
