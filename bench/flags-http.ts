import { absolute, against, median, type Figure } from './figure.ts';
import { contexts, COUNTRIES } from './flag-world.ts';
import { cpuSeconds, load, startBackline, startScript } from './load.ts';

const FLAGS = 200;
const REQUESTS = 6_000;
const CONNECTIONS = 32;
const ROUNDS = 3;
const BULK = '/ofrep/v1/evaluate/flags';

/** 200 flags for one listener over OFREP, in answers per CPU second, beside a bare server that returns the same bytes. */
export async function* run(): AsyncIterable<Figure> {
  const backline = await startBackline(['--no-sample']);
  try {
    await declare(backline.url, backline.token);
    const bodies = contexts(512).map((context) => JSON.stringify({ context }));
    const ask = (path: string) => (index: number) => ({
      method: 'POST',
      path,
      body: bodies[index % bodies.length] ?? '',
      headers: { 'content-type': 'application/json' },
      status: 200,
    });
    const sample = await fetch(backline.url + BULK, { method: 'POST', body: bodies[0] ?? '' });
    const bare = await startScript('bench/bare-server.ts', [await sample.text()]);
    const one = `${BULK}/flag-7`;
    const singleSample = await fetch(backline.url + one, { method: 'POST', body: bodies[0] ?? '' });
    const bareSingle = await startScript('bench/bare-server.ts', [await singleSample.text()]);
    const bulk: number[] = [];
    const singlePeers: number[] = [];
    const peers: number[] = [];
    const singles: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const mine = await perCpuSecond(backline.url, REQUESTS, ask(BULK));
      const theirs = await perCpuSecond(bare.url, REQUESTS, ask(BULK));
      const single = await perCpuSecond(backline.url, REQUESTS * 2, ask(one));
      const singlePeer = await perCpuSecond(bareSingle.url, REQUESTS * 2, ask(one));
      if (round === 0) continue;
      bulk.push(mine);
      peers.push(theirs);
      singles.push(single);
      singlePeers.push(singlePeer);
    }
    bare.child.kill();
    bareSingle.child.kill();
    yield absolute(`flags-http/${FLAGS} flags`, 'answers per CPU second', median(bulk), { min: 3_000 }, median(peers));
    yield against('flags-http/one flag', 'answers per CPU second', median(singles), median(singlePeers), { min: 0.7 });
  } finally {
    await backline.close();
  }
}

async function declare(url: string, token: string): Promise<void> {
  const group = 'experience.backline.dev/v1';
  const attribute = (name: string, spec: object) => ({
    apiVersion: 'audiences.backline.dev/v1',
    kind: 'Attribute',
    metadata: { name },
    spec,
  });
  const when = {
    anyOf: [
      {
        allOf: [
          { attribute: 'country', in: COUNTRIES },
          { attribute: 'appVersion', semver: '>=8.9.0' },
        ],
      },
    ],
  };
  const objects = [
    attribute('country', { type: 'string' }),
    attribute('app-version', { name: 'appVersion', type: 'semver' }),
    ...Array.from({ length: FLAGS }, (_, index) => ({
      apiVersion: group,
      kind: 'Flag',
      metadata: { name: `flag-${index}` },
      spec: {
        type: 'boolean',
        variants: [
          { name: 'on', value: true },
          { name: 'off', value: false },
        ],
        default: 'off',
        rules: [
          {
            name: 'recent',
            when,
            split: [
              { variant: 'on', weight: 50 },
              { variant: 'off', weight: 50 },
            ],
          },
        ],
      },
    })),
  ];
  const answer = await fetch(`${url}/apis/releases.backline.dev/v1/changesets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ChangeSet',
      metadata: { name: 'flags' },
      spec: { objects },
    }),
  });
  if (answer.status !== 201) throw new Error(await answer.text());
}

async function perCpuSecond(url: string, count: number, make: Parameters<typeof load>[3]): Promise<number> {
  const before = await cpuSeconds(url);
  await load(url, count, CONNECTIONS, make);
  return count / ((await cpuSeconds(url)) - before);
}
