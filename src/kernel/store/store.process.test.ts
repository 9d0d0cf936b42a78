import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { DeadlineError, Refusal } from '#kernel/base/failures.ts';
import { type Database, isConnectionLost, openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import { startDatabase, startDatabaseAlone, type TestDatabase } from '#tests/support/database.ts';
import { seededChance } from '#tests/support/chance.ts';
import type { Change, HistoryItem, Store } from './contract.ts';
import { openStore, type StoreOptions } from './open-store.ts';
import {
  decideNote,
  Folder,
  increment,
  KINDS,
  Note,
  type NoteOperation,
  put,
  remove,
  textOf,
} from './testing/notes.ts';

const author = { user: 'ada', requestId: 'request-1' };

type Options = Partial<StoreOptions<NoteOperation>>;

function open(db: TestDatabase, options: Options = {}): Promise<Store<NoteOperation>> {
  return openStore({ database: db.database, kinds: KINDS, decide: decideNote, ...options });
}

/** A database and a store on it that are closed at the end of the block. */
async function startStore(
  options: Options = {},
  start = startDatabase,
): Promise<AsyncDisposable & { db: TestDatabase; store: Store<NoteOperation> }> {
  const db = await start();
  const store = await open(db, options);
  return {
    db,
    store,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await db[Symbol.asyncDispose]();
    },
  };
}

function noteText(store: Store<NoteOperation>, name: string): string | undefined {
  const entry = store.get(Note, 'default', name);
  return entry === undefined ? undefined : textOf(entry.object());
}

function showChange(change: Change): string {
  const before = change.before === undefined ? '' : ` (was ${change.before.version}: ${change.before.text})`;
  return `${change.version} ${change.type} ${change.entry.kind.id} ${change.entry.text}${before}`;
}

/** Everything that a reader can see. */
function picture(store: Store<NoteOperation>): object {
  return {
    version: store.version(),
    objects: KINDS.map((kind) => [...store.list(kind)].map((entry) => entry.text)),
    changes: store.changesSince(store.watchFloor()).map(showChange),
    red: store.find(Note, 'tag', 'red').map((entry) => entry.name),
  };
}

function codeOf(result: PromiseSettledResult<unknown>): string {
  if (result.status === 'fulfilled') return 'done';
  return result.reason instanceof Refusal ? result.reason.code : String(result.reason);
}

/** Holds up every commit until it is let go. */
async function holdCommits(database: Database): Promise<() => Promise<void>> {
  const blocker = await database.connect();
  await blocker.query('begin; select epoch from backline.writer for update');
  return () => blocker.close();
}

async function writerBackend(database: Database): Promise<number> {
  const [row] = await database.query<{ pid: number }>(
    `select pid from pg_locks where locktype = 'advisory' and objid = ${ADVISORY_LOCKS.resourceWriter} and granted
       and database = (select oid from pg_database where datname = current_database())`,
  );
  return row?.pid ?? 0;
}

/** The sessions on this database that wait for a lock. */
const waiting = (database: Database) =>
  database.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");

test('concurrent writes are one order without gaps, the same to callers, subscribers, readers and the database', async () => {
  await using it = await startStore();
  const { store, db } = it;
  const heard: Change[] = [];
  store.subscribe((changes) => heard.push(...changes));
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, index) => store.write([put(`note-${index % 50}`, `text ${index}`)], author)),
  );
  const numbers = outcomes.map(([outcome]) => outcome?.entry.version).sort((a = 0, b = 0) => a - b);
  const expected = Array.from({ length: 200 }, (_, index) => index + 1);
  assert.deepEqual(numbers, expected);
  assert.deepEqual(
    heard.map((change) => change.version),
    expected,
  );
  assert.deepEqual(store.changesSince(0), heard);
  const rows = await db.database.query<{ version: number; body: string }>(
    'select version, body from backline.changes order by version',
  );
  assert.deepEqual(
    rows,
    heard.map(({ version, entry }) => ({ version, body: entry.text })),
  );
});

test('a write is seen by nobody before it is durable, then by readers, its caller and subscribers in this order', async () => {
  await using it = await startStore();
  const { store, db } = it;
  const events: string[] = [];
  store.subscribe(() => events.push(`notified subscribers: ${noteText(store, 'a')}`));
  const release = await holdCommits(db.database);
  const write = store.write([put('a', '1')], author).then(() => events.push(`answered: ${noteText(store, 'a')}`));
  const dry = store.write([put('a', '1')], author, { dryRun: true });
  while ((await waiting(db.database)).length === 0);
  assert.equal(store.get(Note, 'default', 'a'), undefined);
  assert.deepEqual([store.version(), events, store.changesSince(0), [...store.list(Note)]], [0, [], [], []]);
  await release();
  await write;
  assert.deepEqual(events, ['notified subscribers: 1', 'answered: 1']);
  assert.deepEqual(
    (await dry).map((outcome) => outcome.did),
    ['nothing'],
    'it was decided behind the write',
  );
});

test('the operations of a request are written together or, when one is refused, not at all', async () => {
  await using it = await startStore();
  const { store, db } = it;
  const results = await Promise.allSettled([
    store.write([put('a', '1'), put('b', '1')], author),
    store.write([put('a', '2'), put('c', '2'), remove('missing')], author),
    store.write([remove('a'), put('d', '3')], author),
  ]);
  assert.deepEqual(results.map(codeOf), ['done', 'resources/not-found', 'done']);
  assert.deepEqual(
    [...store.list(Note)].map((entry) => entry.name),
    ['b', 'd'],
  );
  const rows = await db.database.query('select version, type, name from backline.changes order by version');
  assert.deepEqual(rows, [
    { version: 1, type: 'ADDED', name: 'a' },
    { version: 2, type: 'ADDED', name: 'b' },
    { version: 3, type: 'DELETED', name: 'a' },
    { version: 4, type: 'ADDED', name: 'd' },
  ]);
});

test('an object may be written many times in one batch, deleted and made again; the database ends where memory does', async () => {
  await using it = await startStore();
  const { store, db } = it;
  await store.write([put('a', '1'), remove('a'), put('a', '2'), put('b', '1'), remove('b'), increment('c')], author);
  await store.write([increment('c'), increment('c'), remove('a')], author);
  const rows = await db.database.query('select name, version from backline.objects order by name');
  assert.deepEqual(rows, [{ name: 'c', version: 8 }]);
  assert.equal(noteText(store, 'c'), '3');
});

test('a dry run is decided like a write and leaves nothing', async () => {
  await using it = await startStore();
  const { store, db } = it;
  await store.write([put('a', '1')], author);
  const outcomes = await store.write([increment('a'), increment('a'), put('new', '1')], author, { dryRun: true });
  assert.deepEqual(
    outcomes.map(({ did, entry }) => [did, textOf(entry.object()), entry.version]),
    [
      ['changed', '2', 1],
      ['changed', '3', 1],
      ['created', '1', 1],
    ],
  );
  await assert.rejects(store.write([remove('b')], author, { dryRun: true }), { code: 'resources/not-found' });
  assert.deepEqual([store.version(), noteText(store, 'a')], [1, '1']);
  assert.deepEqual(await db.database.query('select count(*) from backline.changes'), [{ count: 1 }]);
});

test('after a restart readers and watchers see what they saw before', async () => {
  await using db = await startDatabase();
  const first = await open(db);
  for (let round = 0; round < 5; round++) {
    await first.write([put('a', `${round}`, ['red']), put(`b${round}`, 'x', round % 2 === 0 ? ['red'] : [])], author);
    await first.write([{ verb: 'put', kind: 'Folder', namespace: '', name: 'a', text: `${round}` }], author);
    if (round > 1) await first.write([remove(`b${round - 1}`)], author);
  }
  const before = picture(first);
  await first.close();
  const second = await open(db);
  assert.deepEqual(picture(second), before);
  await second.close();

  const narrow = await open(db, { limits: { changesInWindow: 7 } });
  assert.equal(narrow.watchFloor(), narrow.version() - 7);
  assert.deepEqual(
    narrow.changesSince(narrow.watchFloor()).map(showChange),
    second.changesSince(narrow.watchFloor()).map(showChange),
  );
  for (let at = narrow.watchFloor(); at <= narrow.version(); at++) {
    assert.deepEqual(
      [...narrow.list(Note, { at })].map((entry) => entry.text),
      [...second.list(Note, { at })].map((entry) => entry.text),
    );
  }
  await narrow.close();
  const small = await open(db, { limits: { charactersInWindow: 600 } });
  assert.ok(small.version() - small.watchFloor() >= 1 && small.version() - small.watchFloor() <= 4);
  await small.close();
});

/** The newest versions of an object, however large they are. */
async function historyOf(
  store: Pick<Store<never>, 'history'>,
  name: string,
  limit: number,
): Promise<readonly HistoryItem[]> {
  return (await store.history(Note, 'default', name, { limit, bytesMax: 1e9 })).items;
}

test('history keeps every version of a name, and every accepted spec can be had by its hash', async () => {
  let now = Temporal.Instant.from('2026-01-01T00:00:00Z');
  await using it = await startStore({ clock: () => now });
  const { store } = it;
  await store.write([put('a', 'one')], { user: 'ada', requestId: 'r1' });
  now = now.add({ seconds: 5 });
  await store.write([remove('a')], { user: 'bob', requestId: 'r2' });
  await store.write([put('a', 'two'), put('other', 'one')], { user: 'cyd', requestId: 'r3' });
  await store.write([put('a', 'one')], { user: 'cyd', requestId: 'r4' });
  const items = await historyOf(store, 'a', 10);
  assert.deepEqual(
    items.map(({ version, type, user, requestId, at }) => [version, type, user, requestId, at]),
    [
      [5, 'MODIFIED', 'cyd', 'r4', '2026-01-01T00:00:05Z'],
      [3, 'ADDED', 'cyd', 'r3', '2026-01-01T00:00:05Z'],
      [2, 'DELETED', 'bob', 'r2', '2026-01-01T00:00:05Z'],
      [1, 'ADDED', 'ada', 'r1', '2026-01-01T00:00:00Z'],
    ],
  );
  assert.equal(items[0]?.text, store.get(Note, 'default', 'a')?.text);
  assert.equal((await historyOf(store, 'a', 2)).length, 2);
  const revision = await store.revision(Note, 'a', 'hash-of-one');
  assert.deepEqual(revision, { hash: 'hash-of-one', generation: 1, spec: { text: 'one', tags: [] } });
  assert.equal(await store.revision(Note, 'other', 'hash-of-two'), undefined);
});

test('compaction drops what was superseded before the retention, keeps the state of that moment and all since', async () => {
  let now = Temporal.Instant.from('2026-01-01T00:00:00Z');
  await using db = await startDatabase();
  let store = await open(db, { clock: () => now });
  await store.write([put('kept', '1'), put('changed', '1'), put('gone', '1')], author);
  await store.write([put('changed', '2'), remove('gone')], author);
  assert.equal(await store.compact({ historyDays: 30 }), 0, 'nothing is old enough');
  assert.equal(store.watchFloor(), 0);
  now = now.add({ hours: 24 * 40 });
  await store.write([put('changed', '3'), put('new', '1')], author);
  assert.equal(await store.compact({ historyDays: 30 }), 3);
  assert.equal(await store.compact({ historyDays: 30 }), 0);
  assert.equal(store.watchFloor(), 5);
  assert.throws(() => store.changesSince(4), { code: 'resources/expired', status: 410 });
  assert.deepEqual(
    (await historyOf(store, 'changed', 9)).map((item) => item.version),
    [6, 4],
  );
  assert.deepEqual((await historyOf(store, 'gone', 9)).length, 0);
  const before = picture(store);
  await store.close();

  store = await open(db, { clock: () => now });
  assert.equal(store.watchFloor(), 5, 'a restart does not promise what was dropped');
  assert.deepEqual(picture(store), before);
  now = now.add({ hours: 24 * 40 });
  assert.equal(await store.compact({ historyDays: 30 }), 1);
  await store.close();
  store = await open(db);
  assert.deepEqual([store.version(), store.watchFloor(), noteText(store, 'kept')], [7, 7, '1']);
  const [next] = await store.write([put('next', '1')], author);
  assert.equal(next?.entry.version, 8, 'numbers go on when all history is gone');
  await store.close();
});

test('objects of a kind that this program does not know stay in the database', async () => {
  await using db = await startDatabase();
  const first = await open(db);
  await first.write([put('a', '1'), { verb: 'put', kind: 'Folder', namespace: '', name: 'f', text: '1' }], author);
  await first.write([put('a', '2')], author);
  await first.close();
  const older = await open(db, { kinds: [Note] });
  assert.deepEqual(
    older.changesSince(0).map((change) => change.version),
    [1, 3],
  );
  await older.write([put('a', '3')], author);
  await older.close();
  const again = await open(db);
  assert.deepEqual(
    [...again.list(Folder)].map((entry) => entry.name),
    ['f'],
  );
  await again.close();
});

test('a request that the database refuses fails alone, and its number goes to the next', async () => {
  await using it = await startStore();
  const { store } = it;
  const results = await Promise.allSettled([
    store.write([put('a', '1')], author),
    store.write([put('b', '1')], { user: 'a name with \0 in it', requestId: 'x' }),
    store.write([put('c', '1')], author),
  ]);
  assert.deepEqual(results.map(codeOf), ['done', 'resources/not-stored', 'done']);
  assert.deepEqual(
    store.changesSince(0).map((change) => [change.version, change.entry.name]),
    [
      [1, 'a'],
      [2, 'c'],
    ],
  );
});

test('a full queue refuses with a time to come back, and what it took is written', async () => {
  await using it = await startStore({ limits: { queuedRequests: 5, operationsInRequest: 3 } });
  const { store } = it;
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => store.write([put(`n${index}`, '1')], author)),
  );
  assert.deepEqual(results.map(codeOf), [...Array(5).fill('done'), ...Array(3).fill('http/overloaded')]);
  const last = results.at(-1);
  assert.ok(last?.status === 'rejected' && last.reason instanceof Refusal);
  assert.deepEqual([last.reason.status, last.reason.retryAfterSeconds], [429, 1]);
  await assert.rejects(store.write(Array(4).fill(put('a', '1')), author), { status: 413 });
  await store.write([put('later', '1')], author);
});

test('a subscriber that throws disturbs neither the writer nor the other subscribers', async () => {
  await using it = await startStore();
  const { store } = it;
  const heard: number[] = [];
  store.subscribe(() => {
    throw new Error('a fault of the subscriber');
  });
  const stop = store.subscribe((changes) => heard.push(...changes.map((change) => change.version)));
  await store.write([put('a', '1')], author);
  await store.write([put('a', '2')], author);
  stop();
  await store.write([put('a', '3')], author);
  assert.deepEqual(heard, [1, 2]);
});

test('closing finishes what was accepted and refuses what comes after', async () => {
  await using db = await startDatabase();
  const store = await open(db);
  const writes = Array.from({ length: 600 }, (_, index) => store.write([put(`n${index}`, '1')], author));
  const closed = store.close();
  const late = assert.rejects(store.write([put('late', '1')], author), { code: 'resources/not-writer', status: 503 });
  await Promise.all(writes);
  await late;
  await closed;
  assert.deepEqual(await db.database.query('select count(*) from backline.objects'), [{ count: 600 }]);
});

test('there is one writer: a second waits for it to end, and learns its address when it does not', async () => {
  await using db = await startDatabase();
  const first = await open(db, { address: 'https://node-1:6443' });
  await assert.rejects(open(db, { limits: { writerWaitSeconds: 0.2 } }), (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'resources/other-writer');
    assert.match(error.message, /https:\/\/node-1:6443/);
    return true;
  });
  await first.write([put('a', '1')], author);
  const second = open(db);
  await first.write([put('a', '2')], author);
  await first.close();
  assert.equal(noteText(await second, 'a'), '2');
  await (await second).close();
});

/** Writes from many callers while `cut` strikes the backend that serves the writer. */
async function writeUnderCuts(
  t: TestContext,
  cutsWanted: number,
  cut: (db: TestDatabase, backend: number) => Promise<unknown>,
  start = startDatabase,
): Promise<void> {
  const chance = seededChance(t);
  await using it = await startStore({}, start);
  const { store, db } = it;
  const heard: number[] = [];
  store.subscribe((changes) => heard.push(...changes.map((change) => change.version)));
  const load = { goesOn: true };
  let cuts = 0;
  let lastCut = 0;
  const acknowledged = Array.from({ length: 16 }, () => 0);
  const callers = acknowledged.map(async (_, caller) => {
    while (load.goesOn) {
      await store.write([increment(`counter-${caller}`), increment(`twin-${caller}`)], author);
      acknowledged[caller] = (acknowledged[caller] ?? 0) + 1;
    }
  });
  // The last cut is over when the store has got its right back.
  for (let writer = 0; cuts < cutsWanted || writer === 0 || writer === lastCut;) {
    await new Promise((done) => setTimeout(done, chance.between(1, 40)));
    try {
      writer = await writerBackend(db.database);
      if (writer === 0 || cuts === cutsWanted) continue;
      await cut(db, writer);
      lastCut = writer;
      cuts++;
    } catch (error) {
      // Our own connections break as well when the whole server goes down.
      if (!isConnectionLost(error)) throw error;
    }
  }
  load.goesOn = false;
  await Promise.all(callers);
  const total = acknowledged.reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${total} writes over ${cuts} cuts`);
  for (const [caller, count] of acknowledged.entries()) {
    assert.equal(noteText(store, `counter-${caller}`), String(count));
    assert.equal(noteText(store, `twin-${caller}`), String(count));
  }
  assert.deepEqual(
    heard,
    Array.from({ length: 2 * total }, (_, index) => index + 1),
  );
  const before = picture(store);
  await store.close();
  const reopened = await open(db);
  assert.deepEqual(picture(reopened), before);
  await reopened.close();
}

test('connections cut again and again under load: every write is answered and happens exactly once', (t) =>
  writeUnderCuts(t, 12, (db, backend) => db.database.query(`select pg_terminate_backend(${backend})`)));

test('a server that crashes and recovers under load: every write is answered and happens exactly once', (t) =>
  // PostgreSQL drops all its memory when one of its processes was killed, and recovers from its log.
  writeUnderCuts(t, 3, async (_, backend) => process.kill(backend, 'SIGKILL'), startDatabaseAlone));

test('a writer whose place was taken while it was cut off refuses what waits, says so, and still reads', async () => {
  await using db = await startDatabase();
  const first = await open(db);
  await first.write([put('a', '1')], author);
  const other = await db.database.connect();
  const lock = other.query(`select pg_advisory_lock(${ADVISORY_LOCKS.resourceWriter})`);
  const release = await holdCommits(db.database);
  const waiting = Promise.allSettled([first.write([put('a', '2')], author), first.write([put('b', '1')], author)]);
  await db.database.query(`select pg_terminate_backend(${await writerBackend(db.database)})`);
  await lock;
  await release();
  await other.query('update backline.writer set epoch = epoch + 1');
  assert.deepEqual((await waiting).map(codeOf), ['resources/taken-over', 'resources/taken-over']);
  assert.match(await first.lost, /Another process writes to the database now/);
  await assert.rejects(first.write([put('a', '3')], author), { code: 'resources/taken-over', status: 503 });
  assert.equal(noteText(first, 'a'), '1');
  await first.close();
  await other.close();
  const second = await open(db);
  assert.deepEqual([noteText(second, 'a'), second.version()], ['1', 1]);
  await second.close();
});

test('the epoch fences off a writer that lost the lock without knowing it', async () => {
  await using it = await startStore();
  const { store, db } = it;
  await store.write([put('a', '1')], author);
  await db.database.query('update backline.writer set epoch = epoch + 1');
  await assert.rejects(store.write([put('a', '2')], author), { code: 'resources/taken-over' });
  assert.deepEqual(await db.database.query('select count(*) from backline.changes'), [{ count: 1 }]);
});

test('a database that is not where the writer left it (restored, failed over) ends its right to write', async () => {
  await using it = await startStore();
  const { store, db } = it;
  await store.write([put('a', '1')], author);
  await store.write([put('a', '2')], author);
  await db.database.query('update backline.writer set version = 1; delete from backline.changes where version = 2');
  await db.database.query(`select pg_terminate_backend(${await writerBackend(db.database)})`);
  assert.match(await store.lost, /is at version 1 where this process left it at 2/);
  await assert.rejects(store.write([put('a', '3')], author), { code: 'resources/not-writer' });
});

test('closing while the database is away says that the outcome of the write under way is unknown', async () => {
  await using db = await startDatabase();
  const store = await open(db, { limits: { closeSeconds: 0.3 } });
  const release = await holdCommits(db.database);
  const write = assert.rejects(store.write([put('a', '1')], author), {
    code: 'resources/outcome-unknown',
    status: 503,
  });
  const [row] = await db.database.query<{ name: string }>('select current_database() as name');
  while ((await waiting(db.database)).length === 0);
  const admin = openDatabase(urlOfDatabase(db.url, 'postgres'));
  await admin.query(`alter database ${row?.name} allow_connections false`);
  await admin.close();
  await db.database.query(`select pg_terminate_backend(${await writerBackend(db.database)})`);
  const queued = assert.rejects(store.write([put('b', '1')], author), { code: 'resources/not-writer', status: 503 });
  await store.close();
  await Promise.all([write, queued]);
  await release();
});

test('a large atomic request is decided in turns with everything else, and shown as a whole', async () => {
  let decided = 0;
  const slowly: typeof decideNote = (...given) => {
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
    decided += 1;
    return decideNote(...given);
  };
  await using it = await startStore({ decide: slowly });
  const { store } = it;
  const written = store.write(
    Array.from({ length: 200 }, (_, index) => put(`note-${index}`, 'text')),
    author,
  );
  const perTurn: number[] = [];
  const seen = new Set<number>();
  while (decided < 200) {
    const before = decided;
    await new Promise(setImmediate);
    perTurn.push(decided - before);
    seen.add([...store.list(Note)].length);
  }
  // A slice is five decisions of a millisecond.
  assert.ok(Math.max(...perTurn) <= 10, perTurn.join(' '));
  assert.deepEqual([...seen], [0]);
  assert.equal((await written).length, 200);
  assert.equal([...store.list(Note)].length, 200);
});

test('a queued write is dropped when its caller waits no more, and one that was taken is carried out', async () => {
  await using started = await startStore();
  const { db, store } = started;
  const [taken, queued] = [new AbortController(), new AbortController()];
  const within = ({ signal }: AbortController) => ({ limit: { signal, leftMs: 1_000 } });
  const passed = new DeadlineError('http/deadline', 'Timeout', 'The deadline has passed.');
  let first: ReturnType<typeof store.write> | undefined;
  let third: ReturnType<typeof store.write> | undefined;
  await db.database.transaction(async ({ query }) => {
    // Nothing can be committed meanwhile.
    await query('select from backline.writer for update');
    first = store.write([put('taken', '1')], author, within(taken));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const second = store.write([put('queued', '1')], author, within(queued));
    third = store.write([put('later', '1')], author);
    taken.abort(new Error('gone'));
    queued.abort(passed);
    await assert.rejects(second, passed);
    await assert.rejects(store.write([put('queued', '2')], author, within(queued)), passed);
  });
  assert.equal((await first)?.[0]?.did, 'created');
  assert.equal((await third)?.[0]?.did, 'created');
  assert.equal(passed.wasUndone, true);
  assert.deepEqual([noteText(store, 'taken'), noteText(store, 'queued'), store.version()], ['1', undefined, 2]);
});
