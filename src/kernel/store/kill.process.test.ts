import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { seededChance } from '#tests/support/chance.ts';
import { startDatabase } from '#tests/support/database.ts';
import { openStore } from './open-store.ts';
import { decideNote, KINDS, Note, textOf } from './testing/notes.ts';

const ROUNDS = 6;
const OPERATIONS_IN_REQUEST = 4;

interface BurstReport {
  readonly answered: { readonly answered: string; readonly versions: readonly number[]; readonly counter: string }[];
  readonly seen: { readonly seen: number; readonly type: string; readonly text: string }[];
}

/** Lets a child write for some milliseconds after its first answer, kills it, and returns what it had reported. */
async function burst(url: string, round: number, milliseconds: number): Promise<BurstReport> {
  const script = join(import.meta.dirname, 'testing/burst.ts');
  const child = spawn(process.execPath, [script, url, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const reported: BurstReport = { answered: [], seen: [] };
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    // Lines are shorter than what a pipe takes in one piece: the last one is whole.
    const parsed = JSON.parse(line);
    if ('answered' in parsed) reported.answered.push(parsed);
    else reported.seen.push(parsed);
    timer ??= setTimeout(() => child.kill('SIGKILL'), milliseconds);
  }
  await ended;
  return reported;
}

interface Row {
  readonly version: number;
  readonly request_id: string;
  readonly type: string;
  readonly name: string;
  readonly body: string;
}

test('a writer killed at any moment loses nothing it acknowledged, leaves nothing half written, reuses no number', async (t) => {
  const chance = seededChance(t);
  await using db = await startDatabase();
  const reported: BurstReport = { answered: [], seen: [] };
  const lastSeen: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { answered, seen } = await burst(db.url, round, chance.between(0, 250));
    reported.answered.push(...answered);
    reported.seen.push(...seen);
    lastSeen.push(seen.at(-1)?.seen ?? 0);
    for (const [index, change] of seen.entries()) {
      assert.equal(change.seen, (seen[0]?.seen ?? 0) + index, 'a watcher sees every number once, in order');
    }
  }

  const store = await openStore({ database: db.database, kinds: KINDS, decide: decideNote });
  const rows = await db.database.query<Row>(
    'select version, request_id, type, name, body from backline.changes order by version',
  );
  t.diagnostic(`${rows.length} changes, ${reported.answered.length} requests acknowledged, ${ROUNDS} kills`);
  assert.ok(reported.answered.length >= ROUNDS);

  // One order without gaps, and the same object under a number for everybody.
  assert.deepEqual(
    rows.map((row) => row.version),
    Array.from(rows, (_, index) => index + 1),
  );
  assert.equal(store.version(), rows.length);
  for (const { seen, type, text } of reported.seen) {
    const row = rows[seen - 1];
    assert.deepEqual([row?.type, row?.body], [type, text]);
    assert.equal(JSON.parse(text).metadata.resourceVersion, String(seen));
  }

  // Requests are whole or absent, and all that were acknowledged are there under the numbers that were reported.
  const versionsOf = Map.groupBy(rows, (row) => row.request_id);
  for (const [request, parts] of versionsOf) {
    assert.equal(parts.length, OPERATIONS_IN_REQUEST, `request ${request} is whole`);
  }
  for (const { answered, versions, counter } of reported.answered) {
    const parts = versionsOf.get(answered) ?? [];
    assert.deepEqual(
      parts.map((row) => row.version),
      versions,
    );
    assert.equal(JSON.parse(parts[0]?.body ?? '{}').spec.text, counter);
  }

  // Every increment happened exactly once.
  for (const [name, ofCounter] of Map.groupBy(
    rows.filter((row) => !row.name.startsWith('passing')),
    (row) => row.name,
  )) {
    assert.deepEqual(
      ofCounter.map((row) => JSON.parse(row.body).spec.text),
      Array.from(ofCounter, (_, index) => String(index + 1)),
    );
    const entry = store.get(Note, 'default', name);
    assert.equal(entry === undefined ? '' : textOf(entry.object()), String(ofCounter.length));
  }

  // The current objects are what the changes lead to.
  const state = new Map<string, number>();
  for (const { name, type, version } of rows) {
    if (type === 'DELETED') state.delete(name);
    else state.set(name, version);
  }
  const objects = await db.database.query<{ name: string; version: number }>(
    'select name, version from backline.objects',
  );
  assert.deepEqual(new Map(objects.map(({ name, version }) => [name, version])), state);

  // A watcher of any killed process goes on from its last number with exactly what came after it.
  for (const from of lastSeen) {
    assert.deepEqual(
      store.changesSince(from).map((change) => [change.version, change.type, change.entry.text]),
      rows.slice(from).map((row) => [row.version, row.type, row.body]),
    );
  }
  await store.close();
});
