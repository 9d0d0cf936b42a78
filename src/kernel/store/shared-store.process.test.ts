import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import { proxyTo } from '#tests/support/proxy.ts';
import { openSharedStore, type SharedStore } from './shared-store.ts';
import { decideNote, KINDS, Note, type NoteOperation, put, textOf } from './testing/notes.ts';

const author = { user: 'ada', requestId: 'request-1' };
/** A tenth of the times of an installation. */
const LIMITS = { beatMs: 100, leaseMs: 400, silentMs: 500, silentLooks: 6, freshMs: 500 };

/** Two processes on one database: the first one writes, and reaches it by a way that can be taken away. */
async function startTwo() {
  const db = await startDatabase();
  const proxy = await proxyTo(db.url);
  const far = openDatabase(proxy.url);
  const stores = new Map<string, SharedStore<NoteOperation>>();
  let delivered = 0;
  const open = async (name: string, database: typeof far): Promise<SharedStore<NoteOperation>> => {
    const store = await openSharedStore<NoteOperation>({
      database,
      kinds: KINDS,
      decide: decideNote,
      limits: LIMITS,
      address: () => ({ url: name, ca: '', secret: '' }),
      deliver: (address, write, limit) =>
        new Promise((resolve, reject) => {
          limit.signal.addEventListener('abort', () => reject(new Error('nobody waits any more')));
          stores.get(address.url)?.receive(write, limit).then(resolve, reject);
          delivered += 1;
        }),
      placeOf: ({ name: note }) => ({ kind: Note.id, namespace: 'default', name: note }),
    });
    stores.set(name, store);
    return store;
  };
  const writer = await open('writer', far);
  const standby = await open('standby', db.database);
  assert.deepEqual([writer.isWriter(), standby.isWriter()], [true, false]);
  return {
    writer,
    standby,
    proxy,
    database: db.database,
    /** How many writes one of them forwarded to the other. */
    delivered: () => delivered,
    [Symbol.asyncDispose]: async () => {
      proxy.heal();
      await Promise.all([writer.close(), standby.close()]);
      await far.close();
      await proxy[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

function read(store: SharedStore<NoteOperation>, name: string): string | undefined {
  const entry = store.get(Note, 'default', name);
  return entry === undefined ? undefined : textOf(entry.object());
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUp = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < giveUp, `waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

for (const how of ['silence', 'cut'] as const) {
  test(`a writer whose way to the database is taken away (${how}) is replaced, and answers nothing old`, async () => {
    await using two = await startTwo();
    const { writer, standby, proxy } = two;
    await standby.write([put('a', '1')], author);
    proxy[how]();
    const own = writer.write([put('c', '1')], author);
    const begun = performance.now();
    await standby.write([put('a', '2')], author);
    assert.ok(performance.now() - begun < 3_000, 'written by another one, which is known at once');
    // Whatever it believes of itself, it asks before it answers: it gets no answer, and gives none.
    const asked = writer.fresh();
    assert.notEqual(asked, undefined);
    const refused = assert.rejects(Promise.resolve(asked));
    await until(() => writer.problem() !== undefined, 'it says that it is cut off');
    assert.match(writer.problem() ?? '', /confirmed nothing for/);
    assert.match(writer.refusedBecause() ?? '', /confirmed nothing for/, 'nor does it claim that writes are well');
    assert.deepEqual([writer.isWriter(), standby.isWriter(), standby.problem()], [false, true, undefined]);
    await refused;
    proxy.heal();
    await until(() => writer.problem() === undefined, 'it is well again');
    await writer.fresh();
    assert.equal(read(writer, 'a'), '2');
    // A write that was cut off is settled by the record: done once, and answered.
    assert.equal((await own)[0]?.did, 'created');
    await standby.fresh();
    assert.equal(read(standby, 'c'), '1');
    assert.ok(standby.version() >= 3 && writer.version() === standby.version());
  });
}

test('a writer that has nothing to write shows that it is there', async () => {
  await using two = await startTwo();
  await new Promise((resolve) => setTimeout(resolve, LIMITS.beatMs * (LIMITS.silentLooks + 4)));
  assert.deepEqual([two.writer.isWriter(), two.standby.isWriter()], [true, false]);
  assert.equal(two.writer.fresh(), undefined);
});

test('a database that takes no writes is named by every process, until it takes them again', async () => {
  await using two = await startTwo();
  const { writer, standby, database } = two;
  const cutAll = () =>
    database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
  const name = (await database.query<{ name: string }>('select current_database() as name'))[0]?.name;
  await database.query(`alter database ${name} set default_transaction_read_only = on`);
  await cutAll();
  const refusedBecause = (): string | undefined => writer.refusedBecause() ?? standby.refusedBecause();
  await until(
    () => refusedBecause() !== undefined,
    'somebody says that nothing can be written, also before anybody tries',
  );
  assert.match(refusedBecause() ?? '', /read-only/);
  await assert.rejects(writer.write([put('a', '1')], author), {
    reason: 'ServiceUnavailable',
    message: /read-only transaction\.$/,
  });
  assert.deepEqual([writer.problem(), standby.problem()], [undefined, undefined], 'what is read is right');
  const names = [writer, standby].map(({ refusedBecause }) => refusedBecause);
  await until(() => names.every((reason) => reason() !== undefined), 'those who forward writes say so, too');

  await database.query(`begin read write; alter database ${name} reset default_transaction_read_only; commit`);
  await cutAll();
  await writer.write([put('a', '2')], author);
  await until(() => refusedBecause() === undefined, 'nobody says so any more');
});

for (const isWritten of [true, false]) {
  const when = isWritten ? 'when somebody writes' : 'also when nobody does';
  test(`a writer whose session takes no writes looks for one that does, ${when}`, async () => {
    await using two = await startTwo();
    const { writer, standby, database } = two;
    await standby.close();
    const name = (await database.query<{ name: string }>('select current_database() as name'))[0]?.name;
    await database.query(`alter database ${name} set default_transaction_read_only = on`);
    await database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await until(() => writer.refusedBecause() !== undefined, 'its session began read-only');
    await database.query(`begin read write; alter database ${name} reset default_transaction_read_only; commit`);
    if (isWritten) {
      const isStored = (): Promise<boolean> =>
        writer.write([put('a', '1')], author).then(
          () => true,
          () => false,
        );
      await until(isStored, 'writes go on');
    }
    await until(() => writer.refusedBecause() === undefined, 'nobody says so any more');
  });
}

for (const isWritten of [true, false]) {
  const when = isWritten ? 'at the next write' : 'though nobody writes';
  test(`processes that run on while their database is restored from a backup end, ${when}`, async () => {
    await using two = await startTwo();
    const { writer, standby, database } = two;
    for (const text of ['1', '2', '3']) await writer.write([put('a', text)], author);
    await standby.fresh();
    await database.transaction(async ({ query }) => {
      await query('delete from backline.changes where version > 1');
      await query('update backline.objects set version = 1');
      await query('update backline.writer set version = 1');
    });
    const written = isWritten ? writer.write([put('a', '4')], author).catch(() => {}) : undefined;
    const why = await Promise.all([writer.lost, standby.lost]);
    for (const sentence of why) assert.match(sentence, /restored or replaced|compacted or restored/);
    await written;
  });
}

test('a forwarded write is dropped from the queue of the writer when its caller waits no more', async () => {
  await using two = await startTwo();
  const { writer, standby, database } = two;
  const caller = new AbortController();
  let first: Promise<unknown> | undefined;
  await database.transaction(async ({ query }) => {
    // Nothing can be committed meanwhile.
    await query('select from backline.writer for update');
    first = writer.write([put('taken', '1')], author);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const second = standby.write([put('queued', '1')], author, { limit: { signal: caller.signal, leftMs: 5_000 } });
    await until(() => two.delivered() === 1, 'the write is with the writer');
    caller.abort(new Error('gone'));
    // Whether the writer had taken it is not known here.
    await assert.rejects(second, { code: 'resources/outcome-unknown' });
  });
  await first;
  await standby.write([put('later', '1')], author);
  assert.deepEqual([read(standby, 'queued'), read(standby, 'later')], [undefined, '1']);
});
