// The bridge of 2011 with today's packages: one BLPOP, one stanza.
//   node blpop.mjs REDIS-PORT KEY XMPP-PORT DOMAIN SECRET
//
// Unsafe by design: what BLPOP returned exists only here, and nothing confirms it.
//
// Entries are JSON, {"to", "id", "body"}, as the script of 2011 had them. That is also the kindest to it:
// raw XML would have to pass the library's own parser, which takes longer than JSON.parse and the building
// of an element do.
import { once } from 'node:events';
import { component, xml } from '@xmpp/component';
import { Redis } from 'ioredis';

const [redisPort, key, xmppPort, domain, password] = process.argv.slice(2);
const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort) });
const xmpp = component({ service: `xmpp://127.0.0.1:${xmppPort}`, domain, password });
xmpp.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
await xmpp.start();
// With Nagle's algorithm single messages wait for the acknowledgement of those before.
xmpp.socket.setNoDelay(true);

for (;;) {
  const [, entry] = await redis.blpop(key, 0);
  const { to, id, body } = JSON.parse(entry);
  // Not awaited, as in 2011: the next entry is asked for while this one is written. Only a full socket makes it wait.
  xmpp.send(xml('message', { to, id, type: 'chat' }, xml('body', {}, body))).catch(() => {});
  if (xmpp.socket.writableNeedDrain) await once(xmpp.socket, 'drain');
}
