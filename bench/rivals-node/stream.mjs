// The component's side of XEP-0114 on a bare socket, as little of it as a benchmark needs.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';

/** Connects and completes the handshake; what follows on the socket are stanzas. */
export async function connectComponent(port, domain, secret) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let words = '';
  const until = (pattern) =>
    new Promise((resolve, reject) => {
      const read = (data) => {
        words += data.toString();
        const match = pattern.exec(words);
        if (match) {
          socket.off('data', read);
          words = '';
          resolve(match);
        } else if (words.includes('<stream:error')) {
          reject(new Error(`The server refuses the component: ${words}`));
        }
      };
      socket.on('data', read);
      socket.once('error', reject);
    });

  socket.write(
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' " +
      `xmlns:stream='http://etherx.jabber.org/streams' to='${domain}'>`,
  );
  const [, id] = await until(/<stream:stream[^>]*\sid=['"]([^'"]+)['"][^>]*>/);
  socket.write(`<handshake>${createHash('sha1').update(id + secret).digest('hex')}</handshake>`);
  await until(/<handshake[^>]*>/);
  // What the server sends is read, so that it does not stall, and dropped.
  socket.resume();
  socket.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  return socket;
}
