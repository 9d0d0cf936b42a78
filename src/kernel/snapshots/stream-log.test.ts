import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { Follower } from './follow.ts';
import type { LiveChange } from './live-snapshot.ts';
import { StreamLog, placeText, type StreamLine } from './stream-log.ts';
import { digestText, worldDigest } from './world-digest.ts';

const KIND = 'test/Thing';

function thing(name: string, value: number, pad = 0): LiveObject {
  const spec = { value, pad: 'x'.repeat(pad) };
  return { kind: KIND, namespace: 'default', name, labels: {}, spec, revision: `r${value}` };
}

/** A follower without a control plane: objects that change, version by version. */
class Origin {
  readonly objects = new Map<string, LiveObject>();
  version = 0;
  readonly #listeners = new Set<Parameters<Follower['onSwap']>[0]>();

  readonly follower: Follower = {
    snapshot: () => this.#snapshot(),
    current: () => this.#snapshot(),
    world: () => ({
      get: (_kind, name) => this.objects.get(name),
      list: (kind) => (kind === KIND ? this.objects.values() : []),
      find: () => [],
    }),
    onSwap: (listener) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
    compiled: Promise.resolve(),
    ageMs: () => 0,
    leftOut: () => 0,
    problem: () => undefined,
    stop: async () => {},
  };

  set(name: string, object: LiveObject | undefined): void {
    const change: LiveChange = { kind: KIND, name, before: this.objects.get(name), object };
    if (object === undefined) this.objects.delete(name);
    else this.objects.set(name, object);
    this.#tell([change]);
  }

  listAnew(): void {
    this.#tell(undefined);
  }

  #snapshot() {
    return { version: String(this.version), tables: new Map(), worlds: new Map() };
  }

  #tell(changes: readonly LiveChange[] | undefined): void {
    this.version += 1;
    for (const listener of this.#listeners) listener(this.#snapshot(), changes);
  }
}

/** An application: it keeps what the lines say, and at which place it is. */
class Reader {
  readonly objects = new Map<string, LiveObject>();
  since = '';
  wholes = 0;

  /** Reads on, all that there is or so many lines. */
  read(log: StreamLog, linesMax = Infinity): void {
    let sequence = log.sequenceOf(this.since);
    let lines: Iterator<string> | undefined;
    for (let read = 0; read < linesMax; read += 1) {
      if (sequence === undefined) ({ sequence, lines } = log.whole());
      const next = lines?.next();
      let line: string | null | undefined = next?.done === false ? next.value : undefined;
      if (line === undefined) {
        lines = undefined;
        line = log.after(sequence);
        if (line === undefined) return;
        if (line === null) {
          sequence = undefined;
          continue;
        }
        sequence += 1;
      }
      this.take(JSON.parse(line) as StreamLine);
    }
  }

  take(line: StreamLine): void {
    if (line.type === 'begin') {
      this.objects.clear();
      this.since = '';
      this.wholes += 1;
    } else if (line.type === 'objects') for (const object of line.objects) this.objects.set(object.name, object);
    else if (line.type === 'changes') {
      for (const { name, object } of line.changes) {
        if (object === undefined) this.objects.delete(name);
        else this.objects.set(name, object);
      }
    }
    if (line.type === 'end' || line.type === 'changes') this.since = placeText(line);
  }
}

test('a reader that goes on, from any place and by any amount, has the live objects in the end', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), name: fc.constantFrom('a', 'b', 'c'), value: fc.nat(3) }),
    fc.record({ do: fc.constant('delete' as const), name: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('list' as const) }),
    fc.record({ do: fc.constant('read' as const), reader: fc.nat(2), lines: fc.integer({ min: 1, max: 6 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const origin = new Origin();
      origin.objects.set('a', thing('a', 0));
      const log = new StreamLog(origin.follower, new Set([KIND]));
      const readers = [new Reader(), new Reader(), new Reader()];
      for (const one of steps) {
        if (one.do === 'set') origin.set(one.name, thing(one.name, one.value));
        else if (one.do === 'delete') origin.set(one.name, undefined);
        else if (one.do === 'list') origin.listAnew();
        else readers[one.reader]?.read(log, one.lines);
      }
      const byName = (objects: ReadonlyMap<string, LiveObject>) =>
        [...objects.values()].map(({ name, revision }) => `${name} ${revision}`).sort();
      for (const reader of readers) {
        reader.read(log);
        assert.deepEqual(byName(reader.objects), byName(origin.objects));
        assert.equal(reader.since.split(':')[1], digestText(worldDigest(origin.objects.values())));
      }
    }),
    { numRuns: 300 },
  );
});

test('a version is continued only where it meant the same: another history gives everything', () => {
  const [x, y] = [new Origin(), new Origin()];
  x.set('flag', thing('flag', 1));
  y.set('flag', thing('flag', 2));
  assert.equal(x.version, y.version);
  const reader = new Reader();
  reader.read(new StreamLog(x.follower, new Set([KIND])));
  reader.read(new StreamLog(y.follower, new Set([KIND])));
  assert.deepEqual([reader.wholes, reader.objects.get('flag')?.revision], [2, 'r2']);
  // Restored to what it was: the same world, under whatever version.
  y.set('flag', thing('flag', 1));
  const restored = new StreamLog(y.follower, new Set([KIND]));
  const other = new Reader();
  other.read(new StreamLog(x.follower, new Set([KIND])));
  other.read(restored);
  assert.equal(other.wholes, 1);
  assert.equal(restored.sequenceOf('1'), undefined, 'a version alone is no place');
});

test('a reader that comes back after a few changes gets those alone; after too many, everything', () => {
  const origin = new Origin();
  const log = new StreamLog(origin.follower, new Set([KIND]));
  const reader = new Reader();
  reader.read(log);
  for (let value = 0; value < 900; value += 1) origin.set('a', thing('a', value));
  reader.read(log);
  assert.equal(reader.wholes, 1);
  for (let value = 0; value < 1_100; value += 1) origin.set('a', thing('a', value));
  reader.read(log);
  assert.deepEqual([reader.wholes, reader.objects.get('a')?.revision], [2, 'r1099']);
});

test('changes that all readers have read are no longer kept', () => {
  const origin = new Origin();
  origin.objects.set('a', thing('a', 1));
  const log = new StreamLog(origin.follower, new Set([KIND]));
  const [one, two] = [log.whole(), log.whole()];
  origin.set('a', thing('a', 2));
  one.release();
  one.release();
  const third = log.whole();
  assert.equal(third.sequence, two.sequence, 'another still reads it');
  two.release();
  third.release();
  assert.equal(log.whole().sequence, two.sequence + 1);
});

test('everything comes in many lines, however much it is, and those who come together share them', () => {
  const origin = new Origin();
  for (let number = 0; number < 40; number += 1) origin.objects.set(`t${number}`, thing(`t${number}`, number, 40_000));
  const log = new StreamLog(origin.follower, new Set([KIND]));
  const lines = [...{ [Symbol.iterator]: () => log.whole().lines }];
  assert.ok(lines.length > 20 && lines.every(({ length }) => length < 130_000));
  origin.set('late', thing('late', 1));
  const again = [...{ [Symbol.iterator]: () => log.whole().lines }];
  assert.ok(
    again.every((line, index) => line === lines[index]),
    'the change follows as a change',
  );
});
