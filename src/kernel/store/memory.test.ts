import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head, headOf } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ManagedFieldsEntry, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry, Reader } from './contract.ts';
import { type StoredChange, stampEntry, StoredEntry } from './entry.ts';
import { Memory } from './memory.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { BatchPlan } from './plan-batch.ts';
import { decideNote, Folder, KINDS, Note, type NoteOperation, textOf } from './testing/notes.ts';

/** Namespaces and names in which one is the beginning of another: joined to one text they would sort differently. */
const NAMESPACES = ['a', 'a-b', 'ab'];
const NAMES = ['x', 'x-1', 'x.y', 'xy'];
const TAGS = ['red', 'green', 'blue'];

const target = fc.oneof(
  fc.record({
    kind: fc.constant('Note' as const),
    namespace: fc.constantFrom(...NAMESPACES),
    name: fc.constantFrom(...NAMES),
  }),
  fc.record({ kind: fc.constant('Folder' as const), namespace: fc.constant(''), name: fc.constantFrom(...NAMES) }),
);
const written = fc.record({
  verb: fc.constantFrom('put' as const, 'create' as const),
  text: fc.constantFrom('1', '2', '3'),
  tags: fc.subarray(TAGS),
});
const verb = fc.oneof(
  { weight: 4, arbitrary: written },
  { weight: 2, arbitrary: fc.constant({ verb: 'remove' as const }) },
  { weight: 1, arbitrary: fc.constant({ verb: 'increment' as const }) },
);
const operation: fc.Arbitrary<NoteOperation> = fc
  .tuple(target, verb)
  .map(([where, what]) => Object.assign({}, where, what));
const request = fc.record({ operations: fc.array(operation, { maxLength: 4 }), dryRun: fc.boolean() });
const batches = fc.array(fc.array(request, { maxLength: 5 }), { maxLength: 12 });

/** The naive store: every state that ever was, copied whole. */
class Oracle {
  state: OracleState = new Map();
  readonly states: { readonly version: number; readonly state: OracleState }[] = [{ version: 0, state: new Map() }];
  readonly changes: { version: number; type: string; key: string; text: string; before: string | undefined }[] = [];

  get version(): number {
    return this.states.at(-1)?.version ?? 0;
  }

  at(version: number): OracleState {
    return this.states.findLast((past) => past.version <= version)?.state ?? new Map();
  }

  /** Runs a request on a copy. Undefined when an operation is refused. */
  run(operations: readonly NoteOperation[]): OracleState[] | undefined {
    const states: OracleState[] = [];
    let state = this.state;
    for (const operation of operations) {
      const key = keyOf(operation);
      const before = state.get(key);
      const next = new Map(state);
      if (operation.verb === 'remove') {
        if (before === undefined) return undefined;
        next.delete(key);
      } else if (operation.verb === 'increment') {
        next.set(key, { ...place(operation), text: String(Number(before?.text ?? 0) + 1), tags: [] });
      } else {
        if (operation.verb === 'create' && before !== undefined) return undefined;
        const tags = operation.kind === 'Note' ? (operation.tags ?? []) : [];
        if (before?.text !== operation.text) next.set(key, { ...place(operation), text: operation.text, tags });
      }
      states.push(next);
      state = next;
    }
    return states;
  }

  keep(operations: readonly NoteOperation[], states: readonly OracleState[]): void {
    for (const [index, next] of states.entries()) {
      const operation = operations[index];
      if (operation === undefined) continue;
      const key = keyOf(operation);
      const [before, after] = [this.state.get(key), next.get(key)];
      this.state = next;
      if (before === after) continue;
      const version = this.version + 1;
      this.states.push({ version, state: next });
      const type = before === undefined ? 'ADDED' : after === undefined ? 'DELETED' : 'MODIFIED';
      this.changes.push({ version, type, key, text: (after ?? before)?.text ?? '', before: before?.text });
    }
  }
}

interface OracleObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly text: string;
  readonly tags: readonly string[];
}
type OracleState = ReadonlyMap<string, OracleObject>;

function place({ kind, namespace, name }: NoteOperation): { kind: string; namespace: string; name: string } {
  return { kind, namespace, name };
}

function keyOf(object: { kind: string; namespace: string; name: string }): string {
  return JSON.stringify([object.kind, object.namespace, object.name]);
}

function listOf(state: OracleState, kind: Kind, wanted: (object: OracleObject) => boolean = () => true): string[] {
  return [...state.values()]
    .filter((object) => object.kind === kind.kind && wanted(object))
    .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
    .map((object) => `${keyOf(object)}=${object.text}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function showEntries(entries: Iterable<Entry>): string[] {
  return [...entries].map((entry) => `${keyOf({ ...entry, kind: entry.kind.kind })}=${textOf(entry.object())}`);
}

function assertReads(read: Reader, state: OracleState): void {
  for (const kind of KINDS) {
    for (const namespace of kind.namespaced ? NAMESPACES : ['']) {
      for (const name of NAMES) {
        const expected = state.get(keyOf({ kind: kind.kind, namespace, name }));
        const entry = read.get(kind, namespace, name);
        assert.equal(entry === undefined ? undefined : textOf(entry.object()), expected?.text);
      }
    }
    for (const namespace of [undefined, ...NAMESPACES]) {
      assert.deepEqual(
        showEntries(read.list(kind, { namespace })).sort(),
        listOf(state, kind, (object) => (namespace ?? object.namespace) === object.namespace).sort(),
      );
    }
    for (const name of NAMES) {
      assert.deepEqual(
        showEntries(read.find(kind, 'name', name)).sort(),
        listOf(state, kind, (object) => object.name === name).sort(),
      );
    }
  }
  for (const tag of TAGS) {
    assert.deepEqual(
      showEntries(read.find(Note, 'tag', tag)).sort(),
      listOf(state, Note, (object) => object.tags.includes(tag)).sort(),
    );
  }
}

function emptyMemory(changes = 1000, characters = 1_000_000): Memory {
  return new Memory({ kinds: KINDS, version: 0, floor: 0, limits: { changes, characters } });
}

/** Runs batches on both; `check` sees them after each. */
function replay(
  memory: Memory,
  oracle: Oracle,
  input: readonly (readonly { operations: readonly NoteOperation[]; dryRun: boolean }[])[],
  check: () => void,
): void {
  for (const batch of input) {
    let staged: OracleState = oracle.state;
    const plan = new BatchPlan<NoteOperation>(
      memory,
      (operation, read, now) => {
        assertReads(read, staged);
        const mutation = decideNote(operation, read, now, { user: 'test', requestId: 'test' });
        staged = pending.shift() ?? staged;
        return mutation;
      },
      Temporal.Instant.fromEpochMilliseconds(0),
    );
    let pending: OracleState[] = [];
    const results: string[] = [];
    const expected: string[] = [];
    const visible = oracle.state;
    for (const { operations, dryRun } of batch) {
      const states = oracle.run(operations);
      staged = oracle.state;
      pending = states === undefined ? statesUntilRefusal(oracle, operations) : [...states];
      atOnce(
        plan.add({
          operations,
          writeId: '',
          dryRun,
          author: { user: 'test', requestId: 'test' },
          resolve: (outcomes) => results.push(outcomes.map((outcome) => outcome.did).join()),
          reject: () => results.push('refused'),
        }),
      );
      expected.push(states === undefined ? 'refused' : didOf(oracle.state, states, operations));
      if (states !== undefined && !dryRun) oracle.keep(operations, states);
    }
    assertReads(memory, visible);
    assert.deepEqual(results, [], 'nobody is answered before the batch is durable');
    plan.answer();
    assert.deepEqual(results, expected);
    memory.publish(plan.changes);
    check();
  }
}

function statesUntilRefusal(oracle: Oracle, operations: readonly NoteOperation[]): OracleState[] {
  for (let length = operations.length - 1; length > 0; length--) {
    const states = oracle.run(operations.slice(0, length));
    if (states !== undefined) return states;
  }
  return [];
}

function didOf(state: OracleState, states: readonly OracleState[], operations: readonly NoteOperation[]): string {
  let before = state;
  return operations
    .map((operation, index) => {
      const [old, now] = [before.get(keyOf(operation)), states[index]?.get(keyOf(operation))];
      before = states[index] ?? before;
      if (old === now) return 'nothing';
      return old === undefined ? 'created' : now === undefined ? 'removed' : 'changed';
    })
    .join();
}

test('reads, also within a batch, show what a store that copies everything shows', () => {
  fc.assert(
    fc.property(batches, (input) => {
      const [memory, oracle] = [emptyMemory(), new Oracle()];
      replay(memory, oracle, input, () => {
        assert.equal(memory.version, oracle.version);
        assertReads(memory, oracle.state);
        for (const kind of KINDS) {
          assert.deepEqual(showEntries(memory.list(kind)), listOf(oracle.state, kind));
          assert.equal(memory.count(kind), listOf(oracle.state, kind).length);
        }
      });
    }),
    { numRuns: 150 },
  );
});

test('a list of the past, a namespace or a page shows what the copy of that moment shows', () => {
  const after = fc.option(fc.record({ namespace: fc.constantFrom(...NAMESPACES), name: fc.constantFrom(...NAMES) }));
  const namespace = fc.option(fc.constantFrom(...NAMESPACES), { nil: undefined });
  fc.assert(
    fc.property(batches, after, namespace, (input, after, namespace) => {
      const [memory, oracle] = [emptyMemory(), new Oracle()];
      replay(memory, oracle, input, () => {});
      for (let at = 0; at <= oracle.version; at++) {
        const isWanted = (object: OracleObject): boolean =>
          (namespace === undefined || object.namespace === namespace) &&
          (after === null || (compare(object.namespace, after.namespace) || compare(object.name, after.name)) > 0);
        assert.deepEqual(
          showEntries(memory.list(Note, { at, namespace, ...(after === null ? {} : { after }) })),
          listOf(oracle.at(at), Note, isWanted),
        );
        assert.deepEqual(showEntries(memory.list(Folder, { at })), listOf(oracle.at(at), Folder));
      }
    }),
    { numRuns: 100 },
  );
});

test('a list that was handed out does not change with later writes', () => {
  fc.assert(
    fc.property(batches, (input) => {
      const [memory, oracle] = [emptyMemory(), new Oracle()];
      const taken: { list: Iterable<Entry>; expected: string[] }[] = [];
      replay(memory, oracle, input, () =>
        taken.push({ list: memory.list(Note), expected: listOf(oracle.state, Note) }),
      );
      for (const { list, expected } of taken) assert.deepEqual(showEntries(list), expected);
    }),
    { numRuns: 50 },
  );
});

test('the window gives every change above its floor once, in order, with what it replaced, and refuses below', () => {
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 12 }), (input, size, lift) => {
      const [memory, oracle] = [emptyMemory(size), new Oracle()];
      const check = (): void => {
        for (let from = 0; from <= oracle.version; from++) {
          if (from < memory.watchFloor) {
            assert.throws(() => memory.changesSince(from), { code: 'resources/expired', status: 410 });
            assert.throws(() => memory.list(Note, { at: from }), { code: 'resources/expired' });
            continue;
          }
          const expected = oracle.changes.filter((change) => change.version > from);
          assert.deepEqual(memory.changesSince(from).map(shownChange), expected);
          for (const kind of KINDS) {
            const ofKind = expected.filter((change) => change.key.startsWith(`["${kind.kind}"`));
            assert.deepEqual(memory.changesSince(from, kind).map(shownChange), ofKind);
          }
        }
      };
      replay(memory, oracle, input, check);
      assert.equal(memory.watchFloor, Math.max(0, oracle.version - size));
      const before = memory.watchFloor;
      memory.liftWatchFloor(Math.min(lift, oracle.version));
      assert.equal(memory.watchFloor, Math.max(before, Math.min(lift, oracle.version)));
      check();
    }),
    { numRuns: 100 },
  );
});

test('the window holds at most as much text as its limit says', () => {
  const textOfOne = 200;
  const [memory, oracle] = [emptyMemory(1000, 5 * textOfOne), new Oracle()];
  const input = Array.from({ length: 40 }, (_, index) => [
    { operations: [{ verb: 'increment', kind: 'Folder', namespace: '', name: 'x' } as const], dryRun: index % 7 === 3 },
  ]);
  replay(memory, oracle, input, () => {
    const kept = memory.changesSince(memory.watchFloor);
    const characters = kept.reduce((sum, change) => sum + change.entry.text.length, 0);
    assert.ok(characters <= 5 * textOfOne);
    assert.ok(oracle.version < 6 || kept.length >= 5, `${kept.length} changes kept`);
  });
});

test('an entry carries its own version, and a deletion the version of the deletion with the last state', () => {
  const [memory, oracle] = [emptyMemory(), new Oracle()];
  const target = { kind: 'Note', namespace: 'a', name: 'x' } as const;
  replay(
    memory,
    oracle,
    [
      [{ operations: [{ ...target, verb: 'put', text: '1' }], dryRun: false }],
      [{ operations: [{ ...target, verb: 'remove' }], dryRun: false }],
    ],
    () => {},
  );
  const [added, deleted] = memory.changesSince(0);
  assert.equal(added?.entry.object().metadata.resourceVersion, '1');
  assert.equal(deleted?.type, 'DELETED');
  assert.equal(deleted?.entry.object().metadata.resourceVersion, '2');
  assert.deepEqual(deleted?.entry.object().spec, { text: '1', tags: [] });
  assert.equal(deleted?.before, added?.entry);
});

const SPECS = [
  { text: '1', tags: [] },
  { text: 'ü€😀"\\', tags: ['a'] },
  { text: '2', tags: [], extra: { spec: 1 } },
];
const OWNERS: readonly ManagedFieldsEntry[][] = [
  [{ manager: 'a', operation: 'Apply', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:spec': {} } }],
  [
    {
      manager: '"time":"2026-01-01T00:00:00Z"',
      time: '2026-01-02T00:00:00.5Z',
      fieldsV1: { 'v:"\\"time\\":\\"\\""': {} },
    },
    { manager: 'ü', time: '2026-01-01T00:00:01Z' },
    { manager: 'b', time: '2026-01-01T00:00:02Z' },
  ],
  [{ manager: 'empty', time: '' }],
];
const writtenSpec = fc.record({
  owners: fc.option(fc.constantFrom(...OWNERS), { nil: undefined }),
  isSpecFirst: fc.boolean(),
  name: fc.constantFrom('x', 'y'),
  isHead: fc.boolean(),
  isGone: fc.boolean(),
  spec: fc.constantFrom(...SPECS),
  shown: fc.option(fc.constantFrom(...SPECS), { nil: undefined }),
});

function ownedNote(
  name: string,
  spec: object,
  { owners, isSpecFirst }: { readonly owners: ManagedFieldsEntry[] | undefined; readonly isSpecFirst: boolean },
): ResourceObject {
  const { metadata, ...note } = noteOf(name, spec);
  const owned = { ...metadata, ...(owners === undefined ? {} : { managedFields: owners }) };
  const status = { seen: spec };
  return isSpecFirst ? { ...note, metadata: owned, status } : { metadata: owned, ...note, status };
}

test('an object and its Head, which share a spec where they have the same, keep each its text to the letter', () => {
  fc.assert(
    fc.property(fc.array(writtenSpec, { maxLength: 20 }), (input) => {
      const kinds = [Note, Head];
      const limits = { changes: 1000, characters: 1_000_000 };
      const memory = new Memory({ kinds, version: 0, floor: 0, limits });
      const kept: { readonly entry: StoredEntry; readonly text: string }[] = [];
      for (const { name, isHead, isGone, spec, shown: other, owners, isSpecFirst } of input) {
        const version = memory.version + 1;
        const live = { kind: Note.id, namespace: 'a', name, labels: { of: name }, spec, revision: '1' };
        const shown = other && { ...live, spec: other };
        const candidate = { release: 'r', object: shown, generation: 2, stage: 0, where: {} };
        const object = isHead
          ? headOf(Note, name, isGone ? undefined : { object: live, generation: 1 }, other && candidate)
          : ownedNote(name, spec, { owners, isSpecFirst });
        const entry = stampEntry(isHead ? Head : Note, object, version);
        const { managedFields, ...named } = object.metadata;
        const metadata = { ...named, resourceVersion: String(version), managedFields };
        kept.push({ entry, text: JSON.stringify({ ...object, metadata }) });
        const before = memory.get(entry.kind, entry.namespace, entry.name);
        const type = before === undefined ? 'ADDED' : isGone ? 'DELETED' : 'MODIFIED';
        memory.publish([{ version, type, entry, before }]);
      }
      // As it is after a restart: Heads first, all from bytes.
      const restarted = new Memory({ kinds, version: memory.version, floor: memory.version, limits });
      for (const kind of [Head, Note]) {
        for (const { text, ...place } of memory.list(kind)) restarted.begin(new StoredEntry(place, Buffer.from(text)));
      }
      atOnce(restarted.appendChanges([]));
      const anew = kinds.flatMap((kind) => [...memory.list(kind)].map(({ text }) => text));
      assert.deepEqual(
        kinds.flatMap((kind) => [...restarted.list(kind)].map(({ text }) => text)),
        anew,
      );
      for (const { entry, text } of kept) {
        assert.equal(entry.text, text);
        assert.equal(entry.characters, text.length);
        const object: ResourceObject = JSON.parse(text);
        assert.deepEqual(entry.object(), object);
        assert.deepEqual(entry.spec(), object.spec);
        assert.deepEqual(entry.labels, object.metadata.labels ?? {});
        assert.equal(entry.uid, object.metadata.uid ?? '');
        const { apiVersion, kind, metadata } = entry.identity();
        const { managedFields: _, ...identity } = object.metadata;
        assert.deepEqual(
          { apiVersion, kind, metadata },
          { apiVersion: object.apiVersion, kind: object.kind, metadata: identity },
        );
        const specText = entry.specText();
        if (specText !== undefined) {
          assert.equal(text.replace(specText, 'null'), JSON.stringify(entry.outline()));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('the metadata of an object without a spec is read, wherever it and the owners stand', () => {
  const managedFields: ManagedFieldsEntry[] = [{ manager: 'a', operation: 'Update', time: '2026-01-01T00:00:00Z' }];
  const type = { apiVersion: 'v1', kind: 'ConfigMap' };
  const owned = { name: 'x', namespace: 'a', uid: 'u', managedFields };
  for (const object of [
    { ...type, metadata: owned, data: { metadata: '}' } },
    { ...type, metadata: { ...owned, annotations: { b: '}' } }, data: {} },
    { data: { a: '1' }, metadata: owned, ...type },
    { ...type, metadata: owned },
  ]) {
    const place = { kind: ConfigMap, namespace: 'a', name: 'x', version: 1 };
    const { apiVersion, kind, metadata } = new StoredEntry(place, Buffer.from(JSON.stringify(object))).identity();
    const { managedFields: _, ...identity } = object.metadata;
    assert.deepEqual({ apiVersion, kind, metadata }, { ...type, metadata: identity });
  }
});

test('owners of fields that differ only in their times are kept once', () => {
  // Large beside everything else that comes and goes in the process of the tests.
  const size = 400_000;
  const memory = new Memory({ kinds: [Note], version: 0, floor: 0, limits: { changes: 99, characters: 99 * size } });
  const fill = (): void => {
    const fieldsV1 = { [`f:${'x'.repeat(size)}`]: {} };
    for (let index = 0; index < 20; index += 1) {
      const note = noteOf(`n${index}`, { text: '1', tags: [] });
      const time = `2026-01-01T00:00:${10 + index}Z`;
      const owners: ManagedFieldsEntry[] = [{ manager: 'a', operation: 'Apply', time, fieldsV1 }];
      const object = { ...note, metadata: { ...note.metadata, managedFields: owners } };
      const entry = stampEntry(Note, object, memory.version + 1);
      memory.publish([{ version: entry.version, type: 'ADDED', entry, before: undefined }]);
    }
  };
  const before = heapInUse();
  fill();
  const used = heapInUse() - before;
  assert.ok(used < 5 * size, `${used} bytes for 20 objects with owners of ${size} characters`);
});

test('a spec that an object, its earlier version and its Head have is kept once', () => {
  // Large beside everything else that comes and goes in the process of the tests.
  const size = 4_000_000;
  const fill = (memory: Memory): void => {
    const spec = { text: 'x'.repeat(size), tags: [] };
    const live = { kind: Note.id, namespace: 'a', name: 'x', labels: {}, spec, revision: '1' };
    const head = headOf(Note, 'x', { object: live, generation: 1 });
    for (const object of [noteOf('x', spec), head, noteOf('x', spec)]) {
      const entry = stampEntry(object === head ? Head : Note, object, memory.version + 1);
      const before = memory.get(entry.kind, entry.namespace, entry.name);
      memory.publish([{ version: entry.version, type: 'ADDED', entry, before }]);
    }
  };
  const memory = new Memory({
    kinds: [Note, Head],
    version: 0,
    floor: 0,
    limits: { changes: 9, characters: 5 * size },
  });
  const before = heapInUse();
  fill(memory);
  const used = heapInUse() - before;
  assert.ok(used > size / 2 && used < 1.5 * size, `${used} bytes`);
  assert.equal(memory.changesSince(0).length, 3);
});

function noteOf(name: string, spec: object): ResourceObject {
  const metadata = { name, namespace: 'a', uid: `uid-${name}`, labels: { of: name } };
  return { apiVersion: Note.apiVersion, kind: Note.kind, metadata, spec };
}

function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function shownChange(change: StoredChange): Oracle['changes'][number] {
  const { version, type, entry, before } = change;
  return {
    version,
    type,
    key: keyOf({ kind: entry.kind.kind, namespace: entry.namespace, name: entry.name }),
    text: textOf(entry.object()),
    before: before === undefined ? undefined : textOf(before.object()),
  };
}
