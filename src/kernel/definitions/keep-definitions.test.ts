import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#kernel/base/clock.ts';
import { openLog } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { Change, Entry, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { definedKind } from './follow-definitions.ts';
import { keepDefinitions } from './keep-definitions.ts';
import { CLEANUP, CustomResourceDefinition } from './kinds/custom-resource-definition.ts';

const { apiVersion, kind: DEFINITION, example } = CustomResourceDefinition;
const TERMINATING = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [CLEANUP] };

/** A definition of `widgets.stock.example` that is being deleted, or of other names. */
function goingDefinition(singular = 'widget', second = 0): ResourceObject {
  const plural = `${singular}s`;
  const kind = singular.charAt(0).toUpperCase() + singular.slice(1);
  const name = `${plural}.stock.example`;
  const creationTimestamp = `2026-01-01T00:00:0${second}Z`;
  const names = { plural, singular, kind, listKind: `${kind}List` };
  const status = { conditions: [{ type: 'Established', status: 'True' }] };
  const metadata = { name, uid: name, generation: 1, creationTimestamp, ...TERMINATING };
  const spec = { ...(example?.spec as object), group: 'stock.example', names };
  return { apiVersion, kind: DEFINITION, metadata, spec, status };
}

/** A store in memory whose writes can fail. */
class Shelf {
  readonly definitions = new Map<string, ResourceObject>();
  readonly objects: Entry[] = [];
  /** Names of definitions whose finalizer was taken away. */
  readonly released: string[] = [];
  readonly deletions: number[] = [];
  /** Throws where a write fails. */
  fail: (operation: Operation) => void = () => {};
  #version = 0;
  #listener: (changes: readonly Change[]) => void = () => {};

  readonly store = {
    get: (_: Kind, __: string, name: string) => this.#entry(name),
    list: (kind: Kind) =>
      kind === CustomResourceDefinition
        ? [...this.definitions.keys()].flatMap((name) => this.#entry(name) ?? [])
        : [...this.objects],
    count: () => this.objects.length,
    subscribe: (listener: (changes: readonly Change[]) => void) => {
      this.#listener = listener;
      return () => {};
    },
    write: async (operations: readonly Operation[]) => {
      for (const operation of operations) this.fail(operation);
      for (const operation of operations) this.#apply(operation);
      if (operations[0]?.verb === 'delete') this.deletions.push(operations.length);
      return [];
    },
  } as unknown as Store<Operation>;

  #apply(operation: Operation): void {
    const { name } = operation;
    if (operation.verb === 'delete')
      this.objects.splice(
        this.objects.findIndex((one) => one.name === name),
        1,
      );
    if (operation.verb === 'update') this.definitions.set(name, operation.object as ResourceObject);
    if (operation.verb === 'patch') {
      this.definitions.delete(name);
      this.released.push(name);
    }
    if (operation.verb === 'update') this.#listener([{ entry: this.#entry(name) } as Change]);
  }

  #entry(name: string): Entry | undefined {
    const object = this.definitions.get(name);
    return object && textEntry(CustomResourceDefinition, object, (this.#version += 1));
  }
}

/** Keeps the definitions of a shelf until a condition holds, in a time that passes at once. */
async function keepUntil(
  shelf: Shelf,
  isOver: () => boolean,
  isServed: (times: number) => boolean = () => true,
): Promise<number[]> {
  const waitedMs: number[] = [];
  const time: Time = {
    nowMs: () => 0,
    after: (ms, call) => {
      const timer = setImmediate(() => {
        waitedMs.push(ms);
        call();
      });
      return () => clearImmediate(timer);
    },
  };
  const kinds = kindRegistry([]);
  let settled = 0;
  const kept = keepDefinitions({
    store: shelf.store,
    kinds,
    followed: {
      settle: () => {
        settled += 1;
        for (const { name } of shelf.store.list(CustomResourceDefinition)) {
          const entry = shelf.store.get(CustomResourceDefinition, '', name);
          const kind = entry && definedKind(entry).kind;
          if (kind !== undefined && !kinds.isKnown(kind.id) && isServed(settled)) kinds.add(kind);
        }
        return undefined;
      },
      serve: async () => {},
      stop: () => {},
    },
    keepReleased: async () => {},
    clock: systemClock,
    time,
    log: openLog('silent'),
  });
  for (let turn = 0; turn < 1_000 && !isOver(); turn++) await new Promise((resolve) => setImmediate(resolve));
  await kept.stop();
  return waitedMs;
}

function put(shelf: Shelf, ...definitions: readonly ResourceObject[]): void {
  for (const one of definitions) shelf.definitions.set(one.metadata.name, one);
}

test('a definition goes although the write that lets it go failed once', async () => {
  const shelf = new Shelf();
  put(shelf, goingDefinition());
  let failures = 0;
  shelf.fail = ({ verb }) => {
    if (verb === 'patch' && failures++ === 0) throw new Error('connection lost during a commit');
  };
  await keepUntil(shelf, () => shelf.released.length > 0);
  assert.deepEqual([failures, shelf.released], [2, ['widgets.stock.example']]);
});

test('a definition goes although another one of its group cannot', async () => {
  const shelf = new Shelf();
  put(shelf, goingDefinition('widget', 1), goingDefinition('gadget', 2));
  shelf.fail = ({ verb, name }) => {
    if (verb === 'patch' && name.startsWith('widgets')) throw new Error('connection lost during a commit');
  };
  await keepUntil(shelf, () => shelf.released.length > 0);
  assert.deepEqual(shelf.released, ['gadgets.stock.example']);
});

test('a definition goes although no change was noticed of the last object that it waits for', async () => {
  const shelf = new Shelf();
  put(shelf, goingDefinition());
  const left = definedKind(textEntry(CustomResourceDefinition, goingDefinition(), 1)).kind;
  const metadata = { name: 'last', uid: 'last', namespace: 'default', ...TERMINATING };
  shelf.objects.push(textEntry(left, { apiVersion: 'stock.example/v1', kind: 'Widget', metadata }, 1));
  setImmediate(() => setImmediate(() => shelf.objects.splice(0)));
  const waitedMs = await keepUntil(shelf, () => shelf.released.length > 0);
  assert.deepEqual(shelf.released, ['widgets.stock.example']);
  assert.equal(waitedMs.includes(30_000), true);
});

test('a definition waits until its kind is served: its objects would stay for ever', async () => {
  const shelf = new Shelf();
  put(shelf, goingDefinition());
  let settled = 0;
  await keepUntil(
    shelf,
    () => shelf.released.length > 0,
    (times) => (settled = times) > 6,
  );
  assert.deepEqual([settled > 6, shelf.released], [true, ['widgets.stock.example']]);
});

test('large objects of a definition are deleted one by one', async () => {
  const shelf = new Shelf();
  put(shelf, goingDefinition());
  const kind = definedKind(textEntry(CustomResourceDefinition, goingDefinition(), 1)).kind;
  for (const name of ['a', 'b', 'c', 'd']) {
    const metadata = { name, uid: name, namespace: 'default' };
    const note = name === 'd' ? '' : 'x'.repeat(1024 * 1024);
    shelf.objects.push(
      textEntry(kind, { apiVersion: 'stock.example/v1', kind: 'Widget', metadata, spec: { note } }, 1),
    );
  }
  await keepUntil(shelf, () => shelf.released.length > 0);
  assert.deepEqual(shelf.deletions, [1, 1, 1, 1]);
  assert.deepEqual(shelf.released, ['widgets.stock.example']);
});
