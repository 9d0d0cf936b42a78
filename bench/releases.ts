import { absolute, median, type Figure } from './figure.ts';
import { cpuSeconds, load, startBackline } from './load.ts';

const RELEASES = Number(process.env['RELEASES_BENCH_COUNT'] ?? 5_000);
const CLIENTS = 32;
const APPLIES = 20;
const NAMESPACE = 'aria';
const FLAGS = `/apis/experience.backline.dev/v1/namespaces/${NAMESPACE}/flags`;
const KINDS = '/apis/releases.backline.dev/v1';
const WAIT_MS_MAX = 300_000;

/**
 * A whole Backline with the sample business, and thousands of releases of flags that are all in their first stage: what
 * carrying them takes, how soon a change that is applied then is answered, and how soon the switch has stopped them all.
 */
export async function* run(): AsyncIterable<Figure> {
  const server = await startBackline(['--no-simulation']);
  const url = server.url.replace('http:', 'https:');
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const post = (path: string, body: object) =>
    load(url, 1, 1, () => ({ method: 'POST', path, headers, body: JSON.stringify(body), status: 201 }));
  const flag = (name: string, title: string) => ({
    apiVersion: 'experience.backline.dev/v1',
    kind: 'Flag',
    metadata: { name, namespace: NAMESPACE, labels: { bench: 'releases' } },
    spec: {
      title,
      owner: 'bench',
      type: 'string',
      variants: [
        { name: 'before', value: 'before' },
        { name: 'after', value: 'after' },
      ],
      default: title,
    },
  });
  const patchTitle = (name: string, title: string) => ({
    method: 'PATCH',
    path: `${FLAGS}/${name}`,
    headers: { ...headers, 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ spec: { title, default: title } }),
    status: 200,
  });
  const advances = async () =>
    counter(await metrics(server.url), /^backline_controller_work_seconds_count\{controller="releases".*?\} (\S+)/gm);
  /** How many releases are in each phase, and when the last of them was held, by the server's clock. */
  const phases = async (): Promise<{ counts: ReadonlyMap<string, number>; heldSinceMs: number }> => {
    const answer = await tlsText(`${url}${KINDS}/releases`, headers);
    const counts = new Map<string, number>();
    let heldSinceMs = 0;
    const { items } = JSON.parse(answer) as {
      items: {
        spec: { policy?: object };
        status: { phase: string; held?: string; standing: { state: { seenMs?: number; heldSinceMs?: number } } };
      }[];
    };
    for (const { spec, status } of items) {
      if (spec.policy === undefined) continue;
      const { phase, held, standing } = status;
      const shown = held !== undefined ? 'held' : standing.state.seenMs === undefined ? phase : 'seen';
      counts.set(shown, (counts.get(shown) ?? 0) + 1);
      heldSinceMs = Math.max(heldSinceMs, standing.state.heldSinceMs ?? 0);
    }
    return { counts, heldSinceMs };
  };
  const until = async (isSo: () => Promise<boolean>, everyMs: number): Promise<void> => {
    const beganMs = performance.now();
    while (!(await isSo())) {
      if (performance.now() - beganMs > WAIT_MS_MAX) throw new Error('it took too long');
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  try {
    const names = Array.from({ length: RELEASES }, (_, index) => `bench-${index}`);
    const fresh = Array.from({ length: APPLIES }, (_, index) => `fresh-${index}`);
    await load(url, names.length + fresh.length, CLIENTS, (index) => ({
      method: 'POST',
      path: FLAGS,
      headers,
      body: JSON.stringify(flag([...names, ...fresh][index] ?? '', 'before')),
      status: 201,
    }));
    await post(`${KINDS}/releasepolicies`, {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ReleasePolicy',
      metadata: { name: 'bench' },
      spec: {
        selector: { kinds: ['Flag'], matchLabels: { bench: 'releases' } },
        priority: 100,
        stages: [{ name: 'all', listeners: { unit: 'listener', percent: 100 }, soak: 'P1D' }],
      },
    });

    await load(url, names.length, CLIENTS, (index) => patchTitle(names[index] ?? '', 'after'));
    await until(async () => ((await phases()).counts.get('seen') ?? 0) >= names.length, 2_000);

    const seconds: number[] = [];
    for (const name of fresh) {
      const askedMs = performance.now();
      await load(url, 1, 1, () => patchTitle(name, 'after'));
      await until(async () => (await valueOf(server.url, name)) === 'after', 2);
      seconds.push((performance.now() - askedMs) / 1_000);
    }
    yield absolute('releases/apply-to-first-exposure', 's', median(seconds), { max: 1 });

    const all = names.length + fresh.length;
    const [advancesBefore, cpuBefore, stoppedMs] = [await advances(), await cpuSeconds(server.url), performance.now()];
    const stoppedAtMs = Date.now();
    await post(`${KINDS}/stops`, {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'Stop',
      metadata: { name: 'all' },
      spec: { reason: 'A bench.' },
    });
    const acknowledged = (performance.now() - stoppedMs) / 1_000;
    await until(async () => (await advances()) - advancesBefore >= all, 20);
    const [count, cpu] = [(await advances()) - advancesBefore, (await cpuSeconds(server.url)) - cpuBefore];
    // Looks are counted that change nothing, too: each release says itself when it was held.
    await until(async () => ((await phases()).counts.get('held') ?? 0) >= all, 500);
    const heldSeconds = ((await phases()).heldSinceMs - stoppedAtMs) / 1_000;
    yield absolute('releases/stop-all-acknowledged', 's', acknowledged, { max: 1 });
    yield absolute('releases/stop-all-shown-by-each', 's', heldSeconds, { max: 1 });
    // An advance observes, decides, writes the decision, and observes the write.
    yield absolute('releases/advances', '/CPU s', count / cpu, { min: 2_000 });
  } finally {
    await server.close();
  }
}

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

function counter(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function valueOf(url: string, flag: string): Promise<unknown> {
  const answer = await fetch(`${url}/ofrep/v1/evaluate/flags/${flag}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ context: { targetingKey: 'u1' } }),
  });
  return ((await answer.json()) as { value?: unknown }).value;
}

async function tlsText(url: string, headers: Record<string, string>): Promise<string> {
  const { get } = await import('node:https');
  return new Promise((resolve, reject) => {
    get(url, { headers, rejectUnauthorized: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()));
    }).on('error', reject);
  });
}
