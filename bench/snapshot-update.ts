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
import { followHeads } from '#kernel/snapshots/follow.ts';
import { experience } from '#domains/experience/module.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { absolute, median, type Figure } from './figure.ts';
import { flagWorld } from './flag-world.ts';

const SIZES = [1_000, 10_000, 100_000];
const EDITS = 41;
/** Of one change, however many objects there are. */
const EDIT_MS_MAX = 10;
/** With what the garbage collector takes. */
const BLOCK_MS_MAX = new Map([
  [1_000, 50],
  [10_000, 50],
  [100_000, 150],
]);

/**
 * How long a node takes to compile so many flags, and to take in one that changed, or an attribute that all go by; and the
 * longest time for which nothing else ran meanwhile, garbage collection included. The peer of a change is the compile.
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
    delay.disable();
    await follower.stop();

    async function change(head: ResourceObject): Promise<number> {
      const { promise: swapped, resolve } = Promise.withResolvers<void>();
      const stop = follower.onSwap(() => resolve());
      const started = performance.now();
      source.send(head);
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
  const list: ResourceClient['list'] = async () => ({ items: heads, version: '1' });
  const edited = (object: LiveObject | undefined, edit: number): ResourceObject => {
    if (object === undefined) throw new Error('there is no such object');
    const spec = { ...(object.spec as object), description: `edit ${edit}` };
    return headFor({ ...object, spec, revision: contentHash(spec) });
  };
  return {
    // What follows Heads lists and watches, and nothing else.
    client: { list, watch } as unknown as ResourceClient,
    send: (object: ResourceObject): void => {
      waiting.push({ version: String((version += 1)), changes: [{ type: 'MODIFIED', object }] });
      wake();
    },
    flag: (edit: number, size: number) => edited(objects[(edit * 7_919) % size], edit),
    attribute: () =>
      edited(
        objects.find(({ kind }) => kind === Attribute.id),
        1,
      ),
  };
}
