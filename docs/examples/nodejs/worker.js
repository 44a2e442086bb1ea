#!/usr/bin/env node
// Reads what people write to the component, prints it, and answers each message.
"use strict";
const { createClient } = require("redis"); // Debian: node-redis, with NODE_PATH=/usr/share/nodejs; npm: redis

const QUEUE = process.env.QUEUE ?? "xmpp:outbound";
const INBOUND = `{${QUEUE}}:inbound`;
const GROUP = "app";
// Each worker has a name of its own, the same after a restart: what it had read is given to it again.
const WORKER = process.env.WORKER ?? "worker-1";

const redis = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" });
redis.on("error", (error) => console.error(`Redis: ${error.message}`)); // it connects again by itself

// Answers a message. The answer, the note that it was given, and XACK happen together or not at all.
async function handle(entry, stanza) {
  const seen = `seen:${stanza.stamp ?? entry}`;
  const step = redis.multi();
  // A fault may bring a stanza twice, in two entries with one stamp: the second time it is only acknowledged.
  if (stanza.kind === "message" && stanza.type !== "error" && stanza.body && !(await redis.exists(seen))) {
    console.log(`${stanza.from}: ${stanza.body}`);
    const answer = { to: stanza.from, from: stanza.to, body: `You said: ${stanza.body}` };
    step.rPush(QUEUE, JSON.stringify(answer)); // from the address that was written to
  }
  step.set(seen, "1", { EX: 86400 });
  step.xAck(INBOUND, GROUP, entry);
  await step.exec();
}

// Reads some entries; "0": those that this worker has read and not acknowledged, ">": new ones.
async function read(position) {
  // This worker does one thing after the other, so a connection that waits keeps nobody waiting.
  const streams = await redis.xReadGroup(GROUP, WORKER, { key: INBOUND, id: position }, { COUNT: 10, BLOCK: 2000 });
  const entries = streams?.[0]?.messages ?? [];
  for (const entry of entries) await handle(entry.id, entry.message ?? {}); // null: the stream was trimmed meanwhile
  return entries.length > 0;
}

async function work() {
  try {
    await redis.xGroupCreate(INBOUND, GROUP, "0", { MKSTREAM: true });
  } catch (error) {
    if (!error.message.startsWith("BUSYGROUP")) throw error; // it is there already
  }
  console.log(`reading ${INBOUND}`);
  while (await read("0"));
  for (;;) await read(">");
}

async function main() {
  await redis.connect();
  for (;;) {
    await work().catch((error) => console.error(`Redis: ${error.message}; again in a second`));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

main();
