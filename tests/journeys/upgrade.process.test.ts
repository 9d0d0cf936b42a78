import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { startWorld } from '../support/backline.ts';
import { startDatabase } from '../support/database.ts';
import { flag } from '../support/flags.ts';
import { officeOf, until, type Json } from '../support/installation.ts';

/** Rows of a small installation that a process with the first ten migrations left, one a line. */
const ROWS = join(import.meta.dirname, '../support/old-releases.jsonl');
const OLD_MIGRATIONS = 10;
const LEFT_AT_MS = Date.parse('2026-11-29T07:55:20Z');
/** The plan hash of the approval of asked-twice-40. */
const OLD_PLAN = '32a94f8a6a6c';
const RELEASES = '/apis/releases.backline.dev/v1/releases';
const tokenOf = (name: string): string => `${name}-token-1234`;

interface OldRow {
  readonly table: string;
  readonly row: Readonly<Record<string, unknown>>;
}

/** The program of today on the rows of the old one, a moment later. */
async function startOverOldRows(t: TestContext) {
  const database = await startDatabase();
  const { query } = database.database;
  await query('drop schema backline cascade');
  await migrate(database.database, allMigrations().slice(0, OLD_MIGRATIONS));
  await query('delete from backline.writer');
  for (const line of (await readFile(ROWS, 'utf8')).trim().split('\n')) {
    const { table, row }: OldRow = JSON.parse(line);
    await query({
      text: `insert into backline.${table} select * from json_populate_record(null::backline.${table}, $1)`,
      values: [JSON.stringify(row)],
    });
  }
  const directory = await mkdtemp(join(tmpdir(), 'backline-upgrade-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, ['ann', 'bob', 'cyd'].map((name) => `${tokenOf(name)},${name},,`).join('\n'));
  const startedMs = performance.now();
  const clock = () => Temporal.Instant.fromEpochMilliseconds(Math.round(LEFT_AT_MS + performance.now() - startedMs));
  const world = await startWorld(t, { database, clock, access: { tokenFile } });
  const office = officeOf(world.call, world.call);
  const untilPhase = async (name: string, ...phases: readonly string[]): Promise<Json> => {
    let last: Json;
    return until(
      async () => {
        last = await office.release(name);
        return phases.includes(last.status?.phase) ? last : undefined;
      },
      () => `${name} to be ${phases.join(' or ')}: ${JSON.stringify(last)}`,
      10,
    );
  };
  const command = async (name: string, verb: string, token?: string): Promise<void> => {
    const answer = await office.tell(name, verb, {}, token);
    assert.ok(answer.status < 300, answer.text);
  };
  return { ...office, untilPhase, command, world };
}

/** A flag as the old installation declares it. */
function oldFlag(name: string, by: string, spec: object): object {
  const object = flag(name, spec) as { readonly metadata: object };
  return { ...object, metadata: { ...object.metadata, labels: { by } } };
}

test('releases from before they had authors are listed, and go on', async (t) => {
  const { call, declare, release, tell, command, untilPhase } = await startOverOldRows(t);

  const { json, text } = await call('GET', RELEASES);
  assert.equal(json.items?.length, 10, text);
  const authors = json.items.map(({ metadata, spec }: Json) => [metadata.name, spec.authors, spec.author]);
  for (const [name, who, author] of authors) {
    // A release that waits behind another one includes its authors, as soon as the engine has looked at it.
    const most = name === 'queue-115' ? 2 : 1;
    assert.ok(who.length >= 1 && who.length <= most && author === undefined, `${name}: ${who}, ${author}`);
  }
  const { takenBack } = (await release('aborted-55')).spec;
  assert.deepEqual(takenBack, { how: 'aborted', by: 'ann', because: 'Aborted; no reason was given.' });
  assert.equal((await release('asked-35')).spec.takenBack, undefined);
  const table = await call('GET', RELEASES, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  assert.equal(table.status, 200, table.text);

  await t.test('approvals of the old plans are asked for anew', async () => {
    await until(
      async () => ((await release('asked-twice-40')).spec.planHash.startsWith(OLD_PLAN) ? undefined : true),
      () => 'the plan to be hashed as plans are now',
    );
    const own = await tell('asked-twice-40', 'approve', {}, tokenOf('ann'));
    assert.match(own.text, /ann made the change/);
    await command('asked-twice-40', 'approve', tokenOf('cyd'));
    assert.equal((await untilPhase('asked-twice-40', 'AwaitingApproval')).spec.open, true);
    await command('asked-twice-40', 'approve', tokenOf('bob'));
    await untilPhase('asked-twice-40', 'Promoted');
  });

  await t.test('an open release goes on, and one that waited behind an aborted one waits for a decision', async () => {
    await untilPhase('staged-47', 'Progressing');
    await command('staged-47', 'promote', tokenOf('ann'));
    assert.equal((await untilPhase('staged-47', 'Progressing')).spec.authors[0], 'ann');
    await untilPhase('queue-115', 'Queued');
    await command('queue-107', 'abort', tokenOf('ann'));
    await untilPhase('queue-107', 'Aborted');
    await untilPhase('queue-115', 'Paused');
  });

  await t.test('an object of a release is edited, and rolled back', async () => {
    const edited = await declare([oldFlag('staged', 'staged', { default: 'b' })], tokenOf('bob'));
    assert.equal(edited.status, 201, edited.text);
    await untilPhase('staged-47', 'Superseded');
    const next = edited.json.status.release;
    assert.deepEqual((await untilPhase(next, 'Progressing')).spec.authors, ['ann', 'bob']);
    await command(next, 'rollback', tokenOf('bob'));
    await untilPhase(next, 'RolledBack');
  });

  await t.test('a group is sealed, and waits for its approval', async () => {
    await command('g-120', 'seal', tokenOf('ann'));
    await untilPhase('g-120', 'AwaitingApproval');
    await command('g-120', 'abort', tokenOf('ann'));
    await untilPhase('g-120', 'Aborted');
    assert.equal((await release('asked-35')).status.phase, 'AwaitingApproval');
  });
});
