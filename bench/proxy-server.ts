/** One proxy of `proxy`, by name, before an upstream at a port. Answers `cpu` with its CPU seconds. */
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Proxy } from '#domains/deploy/local-cluster/proxy.ts';
import { Traffic } from '#domains/deploy/local-cluster/traffic.ts';

const [, , name = '', upstream = ''] = process.argv;
const target = Number(upstream);

const PROXIES: Readonly<Record<string, () => Promise<number>>> = {
  // As shipped: two weighted revisions, a sticky header, counts.
  ours: async () => {
    const proxy = new Proxy({ random: Math.random, now: Date.now });
    const endpoints = new Map(['one', 'two'].map((revision) => [revision, [{ port: target, underWay: 0 }]]));
    const traffic = new Traffic();
    const weights = { one: 90, two: 10 };
    proxy.route(new Map([['127.0.0.1', { name: 'bench', weights, stickyHeader: 'x-listener', endpoints, traffic }]]));
    return proxy.listen(0);
  },
  // The least that node:http can do to pass requests on.
  bare: async () => {
    const agent = new Agent({ keepAlive: true });
    const server = createServer((asked, answer) => {
      const { method, url: path, headers } = asked;
      const passed = request({ host: '127.0.0.1', port: target, method, path, headers, agent }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      asked.pipe(passed);
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return (server.address() as AddressInfo).port;
  },
  'http-proxy-3': async () => {
    const { createProxyServer } = await import('http-proxy-3');
    const agent = new Agent({ keepAlive: true });
    const proxy = createProxyServer({ target: `http://127.0.0.1:${target}`, agent, xfwd: true });
    const server = createServer((asked, answer) => proxy.web(asked, answer));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return (server.address() as AddressInfo).port;
  },
};

const start = PROXIES[name];
if (start === undefined) throw new Error(`there is no proxy ${name}`);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1e6);
});
console.log(`ready http://127.0.0.1:${await start()}`);
