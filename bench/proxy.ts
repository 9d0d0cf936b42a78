import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { absolute, against, median, type Figure } from './figure.ts';
import { load, startScript } from './load.ts';

const REQUESTS = 20_000;
const CONNECTIONS = 64;
const ROUNDS = 5;
/** Of the latency: requests a second, and for how long. */
const PACE = { perSecond: 2_000, seconds: 8 } as const;
const BODY = JSON.stringify({
  tracks: Array.from({ length: 20 }, (_, index) => ({ id: index, title: `Track ${index}` })),
});
const NAMES = ['ours', 'bare', 'http-proxy-3'] as const;
const HEADERS = { host: '127.0.0.1', 'x-listener': 'u1', accept: 'application/json' };

type Name = (typeof NAMES)[number];
type Proxies = Readonly<Record<Name, Awaited<ReturnType<typeof startScript>>>>;

/**
 * The proxy of local clusters as shipped (weights, a sticky header, counts), in requests per CPU second of its process, beside the least
 * that node:http can do and http-proxy-3; and what it adds to the latency.
 */
export async function* run(): AsyncIterable<Figure> {
  const upstream = await startScript('bench/bare-server.ts', [BODY]);
  const started = await Promise.all(
    NAMES.map((name) => startScript('bench/proxy-server.ts', [name, new URL(upstream.url).port], { channel: true })),
  );
  const proxies = Object.fromEntries(NAMES.map((name, index) => [name, started[index]])) as unknown as Proxies;
  try {
    const rates: Record<Name, number[]> = { ours: [], bare: [], 'http-proxy-3': [] };
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const name of NAMES) {
        const rate = await perCpuSecond(proxies[name]);
        if (round > 0) rates[name].push(rate);
      }
    }
    const unit = 'requests per CPU second';
    yield against('proxy/beside bare node:http', unit, median(rates.ours), median(rates.bare), { min: 0.6 });
    yield against('proxy/beside http-proxy-3', unit, median(rates.ours), median(rates['http-proxy-3']), { min: 0.6 });
    const direct = await pacedMs(upstream.url);
    const through = await pacedMs(proxies.ours.url);
    yield absolute(`proxy/p50 added at ${PACE.perSecond}/s`, 'ms', through.p50 - direct.p50, { max: 0.3 });
    yield absolute(`proxy/p99 added at ${PACE.perSecond}/s`, 'ms', through.p99 - direct.p99, { max: 5 });
  } finally {
    for (const { child } of [upstream, ...started]) child.kill();
  }
}

async function perCpuSecond({ child, url }: Proxies[Name]): Promise<number> {
  const cpu = async (): Promise<number> => {
    const answer = once(child, 'message') as Promise<[number]>;
    child.send('cpu');
    return (await answer)[0];
  };
  const before = await cpu();
  await load(url, REQUESTS, CONNECTIONS, () => ({ method: 'GET', path: '/v1/tracks', headers: HEADERS, status: 200 }));
  return REQUESTS / ((await cpu()) - before);
}

/** Latencies of requests that begin at a steady pace, however long others take. */
async function pacedMs(url: string): Promise<{ readonly p50: number; readonly p99: number }> {
  const { hostname: host, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const times: number[] = [];
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const beganMs = performance.now();
      const sent = request({ agent, host, port, path: '/v1/tracks', headers: HEADERS }, (answer) => {
        answer.resume();
        answer.once('end', () => {
          times.push(performance.now() - beganMs);
          resolve();
        });
      });
      sent.once('error', reject);
      sent.end();
    });
  const beganMs = performance.now();
  const all: Promise<void>[] = [];
  while (all.length < PACE.perSecond * PACE.seconds) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * PACE.perSecond);
    while (all.length < due) all.push(ask());
    await wait(1);
  }
  await Promise.all(all);
  agent.destroy();
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
