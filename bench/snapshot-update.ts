import { monitorEventLoopDelay } from 'node:perf_hooks';
import { contentHash } from '#kernel/base/ids.ts';
import { openLog } from '#kernel/base/log.ts';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Head, headOf } from '#kernel/kinds/builtin/head.ts';
import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import type { LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { clientHeads } from '#kernel/snapshots/client-heads.ts';
import { SHARE_TOTAL } from '#kernel/snapshots/cohort.ts';
import { followHeads, type Follower } from '#kernel/snapshots/follow.ts';
import { experience } from '#domains/experience/module.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { onePage } from '#kernel/api/client/pages.ts';
import { absolute, median, type Figure } from './figure.ts';
import { flagWorld } from './flag-world.ts';

const SIZES = [1_000, 10_000, 100_000];
const EDITS = 41;
/** One more than the releases whose worlds are compiled before the first question. */
const RELEASES = 5;
const CARRIED = 10_000;
/** Limit for one change, however many objects there are. */
const EDIT_MS_MAX = 10;
/** Limits of the longest block by number of flags, garbage collection included. */
const BLOCK_MS_MAX = new Map([
  [1_000, 50],
  [10_000, 50],
  [100_000, 150],
]);

/**
 * How long a node takes to compile so many flags, and to apply one changed flag, or an attribute that all use; and the
 * longest time for which nothing else ran meanwhile, garbage collection included. The peer of a change is the compile. Of the
 * most flags also: how long it takes to expose releases of many of them, and how long the first question about all of these
 * waits.
 */
export async function* run(): AsyncIterable<Figure> {
  for (const size of SIZES) {
    const source = sourceOf([...flagWorld(size).list(Flag.id), ...flagWorld(0).list(Attribute.id)]);
    const modules = [experience.decisions?.({ records: undefined, random: Math.random, log: openLog('silent') })];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const begun = performance.now();
    const follower = followHeads({
      source: clientHeads(source.client, []),
      kinds: kindRegistry([Head, ...audienceKinds, ...(experience.kinds ?? [])]),
      modules: modules.filter((module) => module !== undefined),
      log: openLog('error'),
    });
    await follower.compiled;
    const compileMs = performance.now() - begun;
    const compileBlock = longest();
    yield absolute(`snapshot-update/compile-${size}`, 'ms', compileMs, { max: size / 10 });
    yield absolute(`snapshot-update/compile-${size}-longest-block`, 'ms', compileBlock, maxOf(size));

    const edits: number[] = [];
    for (let edit = 0; edit < EDITS; edit += 1) edits.push(await change(source.flag(edit, size)));
    yield absolute(`snapshot-update/one-flag-of-${size}`, 'ms', median(edits), { max: EDIT_MS_MAX }, compileMs);
    yield absolute(`snapshot-update/one-flag-of-${size}-longest-block`, 'ms', longest(), maxOf(size));

    const all = await change(source.attribute());
    yield absolute(`snapshot-update/attribute-of-${size}`, 'ms', all, { max: size / 10 }, compileMs);
    yield absolute(`snapshot-update/attribute-of-${size}-longest-block`, 'ms', longest(), maxOf(size));

    if (size >= RELEASES * CARRIED) {
      const name = `snapshot-update/${RELEASES}-releases-of-${CARRIED}`;
      let exposeMs = 0;
      let exposeBlock = 0;
      for (let release = 0; release < RELEASES; release += 1) {
        const heads = source.carried(release);
        longest();
        exposeMs += await change(...heads);
        exposeBlock = Math.max(exposeBlock, longest());
      }
      yield absolute(name, 'ms', exposeMs, { max: 15_000 });
      yield absolute(`${name}-longest-block`, 'ms', exposeBlock, maxOf(size));
      yield absolute(`${name}/first-question`, 'ms', await ask(follower), { max: 1_000 });
      yield absolute(`${name}/first-question-longest-block`, 'ms', longest(), maxOf(size));
    }
    delay.disable();
    await follower.stop();

    async function change(...heads: readonly ResourceObject[]): Promise<number> {
      const { promise: swapped, resolve } = Promise.withResolvers<void>();
      const stop = follower.onSwap(() => resolve());
      const started = performance.now();
      source.send(heads);
      await swapped;
      stop();
      return performance.now() - started;
    }

    function longest(): number {
      const ms = delay.max / 1e6;
      delay.reset();
      return ms;
    }
  }
}

/** The wait of a listener who is in the cohorts of all releases. */
async function ask(follower: Follower): Promise<number> {
  const started = performance.now();
  const subject = { units: { listener: 'l' }, facts: {}, context: {} };
  for (;;) {
    const view = follower.snapshot().worlds.get(experience.name)?.see(subject, Date.now());
    if (!(view instanceof Promise)) return performance.now() - started;
    await view;
  }
}

function maxOf(size: number): { readonly max: number } {
  return { max: BLOCK_MS_MAX.get(size) ?? 0 };
}

/** A control plane with these objects live, whose changes are sent by hand. */
function sourceOf(objects: readonly LiveObject[]) {
  const kindOf = (object: LiveObject) => (object.kind === Flag.id ? Flag : Attribute);
  const headFor = (object: LiveObject) => headOf(kindOf(object), object.name, { object, generation: 1 });
  const heads = objects.map(headFor);
  let version = 1;
  let wake = (): void => {};
  const waiting: Batch[] = [];
  async function* watch(_kind: unknown, _from: string, signal: AbortSignal): AsyncIterable<Batch> {
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const list: ResourceClient['list'] = async () => ({ pages: onePage(heads), version: '1' });
  const editedObject = (object: LiveObject, edit: number): LiveObject => {
    const spec = { ...(object.spec as object), description: `edit ${edit}` };
    return { ...object, spec, revision: contentHash(spec) };
  };
  const editedHead = (object: LiveObject | undefined, edit: number): ResourceObject => {
    if (object === undefined) throw new Error('there is no such object');
    return headFor(editedObject(object, edit));
  };
  return {
    // A follower of Heads calls list and watch only.
    client: { list, watch } as unknown as ResourceClient,
    send: (changed: readonly ResourceObject[]): void => {
      const changes = changed.map((object) => ({ type: 'MODIFIED' as const, object }));
      waiting.push({ version: String((version += 1)), changes });
      wake();
    },
    /** Flags that no other release carries, as everybody in its cohort gets them: all listeners. */
    carried: (release: number) =>
      objects.slice(release * CARRIED, (release + 1) * CARRIED).map((object) => {
        const name = `release-${release}`;
        const where = { unit: 'listener', salt: name, slices: [{ share: SHARE_TOTAL }] };
        const candidate = { release: name, object: editedObject(object, EDITS), generation: 2, stage: 0, where };
        return headOf(Flag, object.name, { object, generation: 1 }, candidate);
      }),
    flag: (edit: number, size: number) => editedHead(objects[(edit * 7_919) % size], edit),
    attribute: () =>
      editedHead(
        objects.find(({ kind }) => kind === Attribute.id),
        1,
      ),
  };
}
