import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentHash } from '#kernel/base/ids.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { absolute, type Figure } from './figure.ts';
import { startBackline } from './load.ts';
import { measureStart, type MeasuredProcess } from './measure-start.ts';
import { insertObjects, type Row } from './stored-rows.ts';

/**
 * How many objects there are, one measurement after the other; BENCH_OBJECTS names others. With --large one more of the
 * unreleased.
 */
const COUNTS = (process.env['BENCH_OBJECTS'] ?? '10000 50000 300000').split(' ').map(Number);
const LARGE = 1_500_000;

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
    const empty = await measureOnce(data);
    let made = 0;
    for (const count of counts) {
      await insertObjects(data, rowsOf(template, make, made, count));
      made = count;
      const { heldBytes, residentBytes, cpuReady, cpuQuiet } = await measureOnce(data);
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

async function measureOnce(data: string): Promise<MeasuredProcess> {
  const started = await measureStart(['up', '--data', data, '--no-sample']);
  await started.stop();
  return started;
}

function* rowsOf(
  template: Template,
  make: (template: Template, index: number) => Row[],
  from: number,
  to: number,
): Iterable<Row> {
  for (let index = from; index < to; index += 1) yield* make(template, index);
}

/** Objects as the program itself has written them. */
interface Template {
  readonly object: ResourceObject;
  readonly head: ResourceObject | undefined;
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
