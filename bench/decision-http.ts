import { against, median, type Figure } from './figure.ts';
import { cpuSeconds, load, startBackline, startScript } from './load.ts';

const REQUESTS = 20_000;
const CONNECTIONS = 32;
const ROUNDS = 5;

/** Decisions over HTTP against a bare node:http server that returns the same bytes, in requests per CPU second. */
export async function* run(): AsyncIterable<Figure> {
  // Listeners that are simulated beside it would count as its own work.
  const backline = await startBackline(['--no-simulation']);
  try {
    const paths = {
      check: '/v1/check?market=de&plan=premium&feature=offline',
      entitlements: '/v1/entitlements?market=de&plan=premium',
      prices: '/v1/prices?market=de&plan=premium',
    };
    for (const [name, path] of Object.entries(paths)) {
      const answer = await fetch(backline.url + path);
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      const bare = await startScript('bench/bare-server.ts', [await answer.text()]);
      const ours: number[] = [];
      const peers: number[] = [];
      const ratios: number[] = [];
      for (let round = 0; round <= ROUNDS; round += 1) {
        const mine = await perCpuSecond(backline.url, path);
        const theirs = await perCpuSecond(bare.url, path);
        if (round === 0) continue;
        ours.push(mine);
        peers.push(theirs);
        ratios.push(mine / theirs);
      }
      bare.child.kill();
      const figure = against(`decision-http/${name}`, 'requests per CPU second', median(ours), median(peers), {
        min: 0.7,
      });
      yield { ...figure, ratio: Number(median(ratios).toPrecision(3)), met: median(ratios) >= 0.7 };
    }
  } finally {
    await backline.close();
  }
}

async function perCpuSecond(url: string, path: string): Promise<number> {
  const before = await cpuSeconds(url);
  await load(url, REQUESTS, CONNECTIONS, () => ({ method: 'GET', path, status: 200 }));
  return REQUESTS / ((await cpuSeconds(url)) - before);
}
