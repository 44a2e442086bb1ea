#!/usr/bin/env node
// POST /messages {"to": "ada@example.com", "body": "hi"} sends a message, and answers with how it ended.
"use strict";
const http = require("node:http");
const { randomUUID } = require("node:crypto");
const { createClient } = require("redis"); // Debian: node-redis, with NODE_PATH=/usr/share/nodejs; npm: redis

const QUEUE = process.env.QUEUE ?? "xmpp:outbound";
const TTL = 8; // seconds after which Bridge no longer begins to send: whoever asked has gone
const WAIT = 12; // seconds that a request waits: the ttl, and the hold of grade "held"

const STATUS = {
  accepted: 200, // the XMPP server has it
  held: 200, // and lived on for a while
  bounced: 502, // the server, or one behind it, sent it back
  dead: 400, // it cannot be sent as it is; "reason" says why
  expired: 504, // its ttl was over first
};

// Without a queue of its own the client fails at once while Redis is away.
const redis = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379", disableOfflineQueue: true });
redis.on("error", (error) => console.error(`Redis: ${error.message}`)); // it connects again by itself

async function send(to, body) {
  const reply = `bridge:reply:${randomUUID()}`; // nobody else can guess it
  await redis.rPush(QUEUE, JSON.stringify({ to, body, ttl: TTL, replyTo: reply }));
  // A connection for each request: one that waits in BLPOP serves nobody else.
  const waiting = redis.duplicate();
  waiting.on("error", (error) => console.error(`Redis: ${error.message}`));
  try {
    await waiting.connect();
    const answer = await waiting.blPop(reply, WAIT);
    if (answer === null) return [504, { ending: "unknown" }]; // still queued, or under way: it may arrive yet
    const outcome = JSON.parse(answer.element);
    return [STATUS[outcome.ending] ?? 500, outcome];
  } finally {
    if (waiting.isOpen) await waiting.disconnect();
  }
}

async function answer(request) {
  if (request.method !== "POST" || request.url !== "/messages") return [404, { error: "POST /messages" }];
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 65536) return [413, { error: "at most 64 KiB" }];
    chunks.push(chunk);
  }
  let message;
  try {
    message = JSON.parse(Buffer.concat(chunks));
  } catch {
    message = null;
  }
  if (typeof message?.to !== "string" || typeof message?.body !== "string")
    return [400, { error: 'a JSON object with the texts "to" and "body"' }];
  return send(message.to, message.body);
}

const server = http.createServer(async (request, response) => {
  const [status, body] = await answer(request).catch(() => [503, { error: "Redis is away" }]);
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
});

redis.connect().catch(() => {});
server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
