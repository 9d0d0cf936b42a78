import { get as httpsGet } from 'node:https';
import { absolute, median, type Figure } from './figure.ts';
import { cpuSeconds, load, startBackline } from './load.ts';

const CLIENTS = 32;
const PATH = '/api/v1/namespaces/default/configmaps';
/** About a kilobyte an object. */
const DATA = { text: 'x'.repeat(700) };
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const WATCHERS = 20;
const WATCHED_WRITES = 1_000;

/** CPU milliseconds of kube-apiserver 1.26 with etcd, recorded on this kind of machine; the goal is a fifth of each. */
const RECORDED = { create: 2.5, mergePatch: 3.6, apply: 4, list: 600, byLabel: 3_600 } as const;
const FIFTH = 5;

/**
 * The resource API with TLS, access rules and the audit record on, as CPU for each operation. BENCH_URL and BENCH_TOKEN
 * point it at any Kubernetes API instead; CPU is then not known, and the times are of the wall clock.
 */
export async function* run(): AsyncIterable<Figure> {
  const given = process.env['BENCH_URL'];
  const own = given === undefined ? await startBackline(['--no-sample']) : undefined;
  const url = given ?? own?.url.replace('http:', 'https:') ?? '';
  const token = process.env['BENCH_TOKEN'] ?? own?.token ?? '';
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const clockMs = async () => (own === undefined ? performance.now() : (await cpuSeconds(own.url)) * 1000);
  const unit = own === undefined ? 'ms' : 'ms CPU';
  const each = async (count: number, make: Parameters<typeof load>[3]) => {
    const before = await clockMs();
    await load(url, count, CLIENTS, make);
    return ((await clockMs()) - before) / count;
  };
  const reads = async (path: string, extra: Record<string, string> = {}) => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const before = await clockMs();
      await load(url, 1, 1, () => ({ method: 'GET', path, headers: { ...headers, ...extra }, status: 200 }));
      times.push((await clockMs()) - before);
    }
    return median(times);
  };
  const create = (from: number) => (index: number) => ({
    method: 'POST',
    path: PATH,
    headers,
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `m${from + index}`, labels: { shard: String(index % 100) } },
      data: DATA,
    }),
    status: 201,
  });
  const patch = (part: string, body: object) => (index: number) => ({
    method: 'PATCH',
    path: `${PATH}/m${index}${part}`,
    headers: { ...headers, 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ ...body, metadata: { annotations: { at: String(index) } } }),
    status: 200,
  });
  try {
    yield absolute(
      'resource-api/create',
      unit,
      await each(10_000, create(0)),
      { max: RECORDED.create / FIFTH },
      RECORDED.create,
    );
    const byName = (index: number) => ({ method: 'GET', path: `${PATH}/m${index}`, headers, status: 200 });
    yield absolute('resource-api/get', unit, await each(10_000, byName), { max: 0.5 });
    yield absolute(
      'resource-api/merge-patch',
      unit,
      await each(10_000, patch('', { data: { patched: 'yes' } })),
      { max: RECORDED.mergePatch / FIFTH },
      RECORDED.mergePatch,
    );
    for (const [name, make] of applies(headers)) {
      const figure = await each(10_000, make);
      yield absolute(`resource-api/${name}`, unit, figure, { max: RECORDED.apply / FIFTH }, RECORDED.apply);
    }
    yield absolute('resource-api/list-10000', unit, await reads(PATH), { max: RECORDED.list / FIFTH }, RECORDED.list);
    yield absolute('resource-api/list-10000-table', unit, await reads(PATH, { accept: TABLE }), { max: RECORDED.list });
    yield absolute('resource-api/list-page-500', unit, await reads(`${PATH}?limit=500`), {
      max: RECORDED.list / FIFTH,
    });
    yield absolute(
      'resource-api/list-by-label',
      unit,
      await reads(`${PATH}?labelSelector=shard%3D7`),
      { max: RECORDED.byLabel / FIFTH },
      RECORDED.byLabel,
    );
    const namespaces = '/api/v1/namespaces';
    await load(url, 1_000, CLIENTS, (index) => ({
      method: 'POST',
      path: namespaces,
      headers,
      body: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `n${index}` } }),
      status: 201,
    }));
    const conditions = [
      { type: 'Measured', status: 'True', lastTransitionTime: '2026-11-22T00:00:00Z', reason: 'Bench', message: '' },
    ];
    const statusPatch = await each(1_000, (index) => ({
      method: 'PATCH',
      path: `${namespaces}/n${index}/status`,
      headers: { ...headers, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ status: { conditions } }),
      status: 200,
    }));
    yield absolute(
      'resource-api/status-patch',
      unit,
      statusPatch,
      { max: RECORDED.mergePatch / FIFTH },
      RECORDED.mergePatch,
    );
    const before = await clockMs();
    const seen = await fanOut(url, token, () => each(WATCHED_WRITES, patch('', { data: { watched: 'yes' } })));
    yield absolute('resource-api/watch-fan-out', `${unit} for each event`, ((await clockMs()) - before) / seen, {
      max: 0.1,
    });
    await load(url, 40_000, CLIENTS, create(10_000));
    yield absolute('resource-api/list-50000', unit, await reads(PATH), { max: RECORDED.list });
    if (own !== undefined) {
      const text = await (await fetch(`${own.url}/metrics`)).text();
      const bytes = Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
      yield absolute('resource-api/memory-50000', 'MB', bytes / 1e6, { max: 1_000 });
    }
  } finally {
    await own?.close();
  }
}

/** Server-side apply of whole objects: one that changes a field, the same once more, and one that writes nothing. */
function applies(headers: Readonly<Record<string, string>>): readonly [string, Parameters<typeof load>[3]][] {
  const apply = (applied: string, query: string) => (index: number) => ({
    method: 'PATCH',
    path: `${PATH}/m${index}?fieldManager=bench&force=true${query}`,
    headers: { ...headers, 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `m${index}` },
      data: { ...DATA, applied },
    }),
    status: 200,
  });
  return [
    ['apply-changed', apply('once', '')],
    ['apply-no-op', apply('once', '')],
    ['apply-dry-run', apply('twice', '&dryRun=All')],
  ];
}

/** Twenty watchers during writes: how many events reached them in total. */
async function fanOut(url: string, token: string, write: () => Promise<unknown>): Promise<number> {
  let events = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const requests = await Promise.all(
    Array.from({ length: WATCHERS }, async () => {
      const watching = httpsGet(`${url}${PATH}?watch=true&resourceVersion=0&labelSelector=shard`, {
        headers: { authorization: `Bearer ${token}` },
        rejectUnauthorized: false,
      });
      let counting = false;
      let initial = 0;
      await new Promise<void>((opened) => {
        watching.once('response', (answer) => {
          answer.setEncoding('latin1');
          answer.on('data', (chunk: string) => {
            const lines = chunk.split('\n').length - 1;
            if (!counting) {
              initial += lines;
              if (initial >= 10_000) {
                counting = true;
                events += initial - 10_000;
                opened();
              }
              return;
            }
            events += lines;
            if (events >= WATCHERS * WATCHED_WRITES) resolve();
          });
        });
      });
      return watching;
    }),
  );
  await write();
  await all;
  for (const request of requests) request.destroy();
  return events;
}
