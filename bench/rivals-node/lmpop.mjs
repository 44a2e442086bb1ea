// The same idea as fast as Node.js can: batches, and the entries to the socket as they are.
//   node lmpop.mjs REDIS-PORT KEY XMPP-PORT DOMAIN SECRET
//
// Unsafe by design: what is popped exists only here and in the kernel's buffers, nothing confirms it, and
// nothing looks at it, so that one bad entry ends the stream.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { connectComponent } from './stream.mjs';

const batch = 500;
const inFlight = 2;

const [redisPort, key, xmppPort, domain, secret] = process.argv.slice(2);
const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort) });
const socket = await connectComponent(Number(xmppPort), domain, secret);

// The reply is [key, entries], or null.
const pop = () => redis.callBuffer('LMPOP', 1, key, 'LEFT', 'COUNT', batch);
const wait = () => redis.callBuffer('BLMPOP', 1, 1, key, 'LEFT', 'COUNT', batch);

async function write(reply) {
  const entries = reply?.[1] ?? [];
  if (entries.length > 0 && !socket.write(entries.length === 1 ? entries[0] : Buffer.concat(entries))) {
    await once(socket, 'drain');
  }
  return entries.length;
}

for (;;) {
  const calls = [];
  let empty = false;
  while (!empty || calls.length > 0) {
    while (!empty && calls.length < inFlight) calls.push(pop());
    // A short batch means that the queue is empty: what is in flight is had first, to keep the order.
    empty = (await write(await calls.shift())) < batch || empty;
  }
  // While little comes in, waiting in Redis is the fastest.
  while ((await write(await wait())) < batch);
}
