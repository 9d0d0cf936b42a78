/**
 * The peer of `quota-http`: a bare node:http server that counts with rate-limiter-flexible, on the PostgreSQL or the
 * Redis of its arguments, and keeps nothing but the count.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { limiterOn } from './limiters.ts';

const [, , kind = '', address = ''] = process.argv;
if (kind !== 'postgres' && kind !== 'redis') throw new Error(`"${kind}" is neither postgres nor redis`);
const consume = await limiterOn(kind, address);
const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  request.on('end', () => {
    const { listener } = JSON.parse(text) as { listener: string };
    consume(listener).then(
      (left) => {
        const body = JSON.stringify({ outcome: 'allow', left });
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
        response.end(body);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
});
// Connections of the sender may rest for long.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.once('SIGTERM', () => process.exit(0));
