/** The peer of `decision-http`: the least that a node:http server can do to send given bytes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [, , body = ''] = process.argv;
const length = Buffer.byteLength(body);
const server = createServer((request, response) => {
  if (request.url === '/metrics') {
    const { user, system } = process.cpuUsage();
    response.end(`process_cpu_seconds_total ${(user + system) / 1e6}\n`);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`));
