import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentHash } from '#kernel/base/ids.ts';
import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { absolute, type Figure } from './figure.ts';
import { startBackline, startScript } from './load.ts';

/**
 * How many objects there are, one measurement after the other; BENCH_OBJECTS names others. With --large one more of the
 * unreleased.
 */
const COUNTS = (process.env['BENCH_OBJECTS'] ?? '10000 50000 300000').split(' ').map(Number);
const LARGE = 1_500_000;
const ROWS_AT_ONCE = 2_000;
/** A start is over when the process has used less than a tenth of a core for so long. */
const QUIET_MS = 2_000;

/**
 * Memory of one object in a whole process with all roles, and the time and CPU of a start with all of them. `held`
 * is what is left after a collection of garbage, beside a process without them; `process` is its resident memory; `settled`
 * includes what goes on after the start.
 */
export async function* run(): AsyncIterable<Figure> {
  const counts = process.argv.includes('--large') ? [...COUNTS, LARGE] : COUNTS;
  yield* grown('unreleased', configMaps, { bytesMax: 2_500, counts });
  yield* grown('released', flags, { bytesMax: 4_000, counts: COUNTS });
}

async function* grown(
  name: string,
  make: (template: Template, index: number) => Row[],
  { bytesMax, counts }: { readonly bytesMax: number; readonly counts: readonly number[] },
): AsyncIterable<Figure> {
  const data = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  try {
    const template = await declareOne(data, make === flags);
    const empty = await measureStart(data);
    let made = 0;
    for (const count of counts) {
      await insert(data, template, make, made, count);
      made = count;
      const { heldBytes, residentBytes, cpuReady, cpuQuiet } = await measureStart(data);
      const at = `store-memory/${name}-${count}`;
      yield absolute(`${at}/held`, 'B/object', (heldBytes - empty.heldBytes) / count, { max: bytesMax });
      yield absolute(`${at}/process`, 'MB', residentBytes / 1e6, { max: Math.max(1_200, (count * bytesMax) / 1e6) });
      const cpu = { max: Math.max(10, count / 30_000) };
      yield absolute(`${at}/start`, 's CPU', cpuReady, cpu);
      yield absolute(`${at}/settled`, 's CPU', cpuQuiet, cpu);
    }
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

interface Use {
  readonly heldBytes: number;
  readonly residentBytes: number;
  /** CPU until the line `ready`. */
  readonly cpuReady: number;
  /** CPU until the process is quiet. */
  readonly cpuQuiet: number;
}

async function measureStart(data: string): Promise<Use> {
  const probe = join(import.meta.dirname, 'memory-probe.ts');
  const { child } = await startScript('src/main.ts', ['up', '--port', '0', '--data', data, '--quiet', '--no-sample'], {
    nodeArgs: ['--expose-gc', '--import', probe],
    channel: true,
  });
  const ask = async (what: 'use' | 'collect') => {
    child.send(what);
    const [use] = (await once(child, 'message')) as [NodeJS.MemoryUsage & { readonly cpuSeconds: number }];
    return use;
  };
  try {
    const { cpuSeconds: cpuReady, ...ready } = await ask('use');
    let { rss } = ready;
    let cpuSeconds = cpuReady;
    for (let isQuiet = false; !isQuiet;) {
      await sleep(QUIET_MS);
      const now = await ask('use');
      isQuiet = now.cpuSeconds - cpuSeconds < QUIET_MS / 10_000;
      ({ rss, cpuSeconds } = now);
    }
    const { heapUsed, arrayBuffers } = await ask('collect');
    return { heldBytes: heapUsed + arrayBuffers, residentBytes: rss, cpuReady, cpuQuiet: cpuSeconds };
  } finally {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
}

/** Objects as the program itself has written them. */
interface Template {
  readonly object: ResourceObject;
  readonly head: ResourceObject | undefined;
}

interface Row {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ADDED' | 'MODIFIED';
  readonly object: ResourceObject;
  /** False for a version that the next one took the place of. */
  readonly isCurrent: boolean;
}

/** Declares one object as the model of all others. */
async function declareOne(data: string, isReleased: boolean): Promise<Template> {
  const { url, token, close } = await startBackline(['--no-sample'], data);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const read = async (path: string) => (await (await fetch(`${url}${path}`, { headers })).json()) as ResourceObject;
  try {
    const path = isReleased
      ? `/apis/${Flag.apiVersion}/namespaces/default/${Flag.plural}`
      : '/api/v1/namespaces/default/configmaps';
    const { apiVersion, kind } = isReleased ? Flag : ConfigMap;
    const content = isReleased ? { spec: flagSpec(0) } : { data: { text: 'x'.repeat(750) } };
    const labels = { shard: 's-0' };
    const object = { apiVersion, kind, metadata: { name: 'model', labels }, ...content };
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(object) });
    if (answer.status !== 201) throw new Error(await answer.text());
    if (!isReleased) return { object: await read(`${path}/model`), head: undefined };
    for (;;) {
      const flag = await read(`${path}/model`);
      const head = await read(`/apis/${Head.apiVersion}/${Head.plural}/${headName(Flag, 'model')}`);
      if (flag.status !== undefined) return { object: flag, head };
      await sleep(50);
    }
  } finally {
    await close();
  }
}

function configMaps({ object }: Template, index: number): Row[] {
  const name = `m-${index}`;
  return [row(ConfigMap, rename(object, name, index), true)];
}

/** A Flag as it was declared, its Head, and the Flag with the status that says that it is live. */
function flags({ object, head }: Template, index: number): Row[] {
  if (head === undefined) throw new Error('there is no Head');
  const name = `flag-${index}`;
  const spec = flagSpec(index);
  const revision = contentHash(spec);
  const { status, ...declared } = { ...rename(object, name, index), spec };
  const { live, labels, object: place } = head.spec as { live: object[]; labels: object; object: object };
  const ofHead = {
    object: { ...place, name },
    labels: { ...labels, shard: shard(index) },
    live: live.map((entry) => ({ ...entry, revision, spec })),
  };
  return [
    row(Flag, declared, false),
    row(Head, { ...rename(head, headName(Flag, name), undefined), spec: ofHead }, true),
    {
      ...row(Flag, { ...declared, status: { ...(status as object), liveRevision: revision } }, true),
      type: 'MODIFIED',
    },
  ];
}

function row(kind: Kind, object: ResourceObject, isCurrent: boolean): Row {
  const { namespace = '', name } = object.metadata;
  return { kind, namespace, name, type: 'ADDED', object, isCurrent };
}

function rename(object: ResourceObject, name: string, index: number | undefined): ResourceObject {
  const labels = index === undefined ? {} : { labels: { shard: shard(index) } };
  return { ...object, metadata: { ...object.metadata, name, uid: randomUUID(), ...labels } };
}

function shard(index: number): string {
  return `s-${index % 100}`;
}

/** No two have the same spec. */
function flagSpec(index: number): object {
  return {
    title: `Flag ${index}`,
    type: 'boolean',
    variants: [
      { name: 'on', value: true },
      { name: 'off', value: false },
    ],
    default: 'off',
    enabled: true,
    rules: [
      {
        name: 'some',
        when: { anyOf: [{ allOf: [{ attribute: 'targetingKey', startsWith: [`test-${index}-`] }] }] },
        serve: 'on',
      },
      { name: 'ramp', traffic: { percent: index % 100 }, serve: 'on' },
    ],
  };
}

/** Writes objects into the database of a server that does not run: the API would take minutes. */
async function insert(
  data: string,
  template: Template,
  make: (template: Template, index: number) => Row[],
  from: number,
  to: number,
): Promise<void> {
  const postgres = await startEmbeddedPostgres({ dataDirectory: data });
  const database = openDatabase(postgres.url);
  try {
    const [writer] = await database.query<{ version: number }>('select version from backline.writer');
    let version = writer?.version ?? 0;
    for (let index = from; index < to;) {
      const rows: Row[] = [];
      for (; rows.length < ROWS_AT_ONCE && index < to; index += 1) rows.push(...make(template, index));
      await insertRows(database, rows, version);
      version += rows.length;
    }
    await database.patient.query('analyze backline.objects, backline.changes');
  } finally {
    await database.close();
    await postgres.close();
  }
}

async function insertRows(database: Database, rows: readonly Row[], after: number): Promise<void> {
  const versions = rows.map((_, index) => after + 1 + index);
  const bodies = rows.map(({ object }, index) =>
    JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: String(versions[index]) } }),
  );
  await database.patient.query({
    text: `
      with given as (
        select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
          as g (version, type, kind, namespace, name, body, current)
      ), changed as (
        insert into backline.changes (version, epoch, at, request_id, author, type, kind, namespace, name, body)
        select version, 1, now(), 'bench', 'bench', type, kind, namespace, name, body from given
      ), written as (
        update backline.writer set version = $8
      )
      insert into backline.objects (kind, namespace, name, version)
      select kind, namespace, name, version from given where current = 'yes'`,
    values: [
      bigintArray(versions),
      textArray(rows.map(({ type }) => type)),
      textArray(rows.map(({ kind }) => kind.id)),
      textArray(rows.map(({ namespace }) => namespace)),
      textArray(rows.map(({ name }) => name)),
      textArray(bodies),
      textArray(rows.map(({ isCurrent }) => (isCurrent ? 'yes' : 'no'))),
      after + rows.length,
    ],
  });
}
