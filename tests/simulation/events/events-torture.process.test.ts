import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog } from '#kernel/base/log.ts';
import { startQueries } from '#kernel/events/datasets/queries.ts';
import { worldOf } from '#kernel/events/testing/world.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { seededChance } from '../../support/chance.ts';
import { ODD_TYPES, oddBatch } from './odd-events.ts';

/** Nights, each with a backup; after each day the last backup is restored. More than one where there is time. */
const NIGHTS = Number(process.env['EVENTS_NIGHTS'] ?? 1);
const STEPS = 4;
const SENDERS = 3;
const NODES = 2;
/** How long a sender tries, where the machine is busy. */
const TRIES_MS_MAX = 60_000;
const PROGRAM = join(import.meta.dirname, 'event-node.ts');

interface Node {
  readonly child: ChildProcess;
  readonly port: number;
}

/** An installation of a PostgreSQL, a folder of files and some nodes, any of which may be killed. */
class Site {
  readonly directory: string;
  readonly nodes: Node[] = [];
  postgres: EmbeddedPostgres | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  get datasets(): string {
    return join(this.directory, 'datasets');
  }

  async start(): Promise<void> {
    this.postgres = await startEmbeddedPostgres({ dataDirectory: this.directory });
    await Promise.all(Array.from({ length: NODES }, () => this.startNode()));
  }

  async startNode(): Promise<void> {
    const { url } = this.running();
    const args = [PROGRAM, url, this.datasets, join(this.directory, 'keys')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      this.nodes.push({ child, port: Number(line) });
      return;
    }
    assert.fail(`a node ended as it began (${child.signalCode ?? child.exitCode})`);
  }

  async killNode(index: number): Promise<void> {
    const [node] = this.nodes.splice(index % this.nodes.length, 1);
    if (node !== undefined) await end(node.child);
  }

  /** Ends a DuckDB process of any node, if one runs now. */
  async killDuckDb(): Promise<void> {
    for (const { child } of this.nodes) {
      const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').catch(() => '');
      for (const pid of children.trim().split(' ')) if (pid !== '') killIfThere(Number(pid));
    }
  }

  /** Everything at once, as when the machine fails. */
  async killAll(): Promise<void> {
    process.kill(this.running().pid, 'SIGKILL');
    while (this.nodes.length > 0) await this.killNode(0);
    await this.running().close();
  }

  async stop(): Promise<void> {
    while (this.nodes.length > 0) await this.killNode(0);
    await this.postgres?.close();
  }

  /** Copies the folder of a stopped server. */
  copy(from: string, to: string): void {
    const { home } = this.running();
    execFileSync('rm', ['-rf', join(home, to)]);
    execFileSync('cp', ['-a', join(home, from), join(home, to)]);
  }

  running(): EmbeddedPostgres {
    assert.ok(this.postgres);
    return this.postgres;
  }
}

/** Kills a process; one that has just ended is fine. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Ids that were acknowledged: `kept` must be in the tables, `refused` must not. */
interface AcknowledgedEvents {
  readonly kept: Map<string, string>;
  readonly refused: Set<string>;
}

/** Sends a batch until it is acknowledged, as a client does. */
async function deliver(site: Site, batch: string, acknowledged: AcknowledgedEvents): Promise<void> {
  const until = Date.now() + TRIES_MS_MAX;
  for (let tries = 0; Date.now() < until; tries += 1) {
    const node = site.nodes[tries % Math.max(1, site.nodes.length)];
    const answer =
      node === undefined
        ? undefined
        : await fetch(`http://127.0.0.1:${node.port}/v1/events`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: batch,
          }).catch(() => undefined);
    // An answer that broke off is none.
    const body = (await answer?.json().catch(() => undefined)) as { results: { outcome: string }[] } | undefined;
    if (answer?.status === 200 && body !== undefined) {
      const { events } = JSON.parse(batch) as { events: { id: string; properties: { text: string } }[] };
      for (const [index, { outcome }] of body.results.entries()) {
        const event = events[index];
        if (event === undefined) continue;
        if (outcome === 'quarantined') acknowledged.refused.add(event.id);
        else acknowledged.kept.set(event.id, event.properties.text);
      }
      return;
    }
    assert.ok(
      answer === undefined || body === undefined || answer.status >= 429,
      `${answer?.status} ${JSON.stringify(body)}`,
    );
    await sleep(50);
  }
  assert.fail('a batch was not acknowledged');
}

/** Waits until everything that is in the log is in files. */
async function settle(site: Site): Promise<void> {
  const database = openDatabase(site.running().url);
  const until = Date.now() + TRIES_MS_MAX;
  for (;;) {
    const [row] = await database.query<{ left: number }>(
      'select count(*) as left from backline.event_log, backline.rollup where tx >= until_tx',
    );
    if (row?.left === 0) break;
    assert.ok(Date.now() < until, `${row?.left} rows are not in files`);
    await sleep(50);
  }
  await database.close();
}

async function check(site: Site, acknowledged: AcknowledgedEvents): Promise<void> {
  const database = openDatabase(site.running().url);
  const queries = startQueries({
    database,
    directory: site.datasets,
    world: () => worldOf({ eventTypes: ODD_TYPES }),
    clock: () => Temporal.Now.instant(),
    log: openLog('silent'),
  });
  const sql = `select event_id, text, count(*) from (from odd select event_id, text union all from odd_other select event_id, text) group by all`;
  const rows = await queries.ask(sql, new AbortController().signal);
  const [aside] = await database.query<{ rows: number }>('select count(*) as rows from backline.event_unfiled');
  await queries.close();
  await database.close();
  assert.equal(aside?.rows, 0, 'files can hold whatever is accepted');
  const found = new Map(rows.map(([id, text, times]) => [String(id), { text, times }]));
  const lost = [...acknowledged.kept.keys()].filter((id) => !found.has(id));
  assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.kept.size} are lost`);
  for (const [id, { text, times }] of found) {
    assert.ok(acknowledged.kept.has(id), `${id} was never acknowledged as accepted`);
    assert.deepEqual([times, text], [1, acknowledged.kept.get(id)], id);
  }
}

async function startSite(t: TestContext): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-events-'));
  await chmod(directory, 0o755);
  const site = new Site(directory);
  t.after(async () => {
    await site.stop();
    if (t.passed) await rm(directory, { recursive: true, force: true });
    else t.diagnostic(`the data is kept in ${directory}`);
  });
  const first = await startEmbeddedPostgres({ dataDirectory: directory });
  const database = openDatabase(first.url);
  await migrate(database, allMigrations());
  await database.close();
  await first.close();
  await site.start();
  return site;
}

test(
  'whatever is sent, killed and restored: each event that was acknowledged is in the tables, once',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const chance = seededChance(t);
    const site = await startSite(t);
    const acknowledged: AcknowledgedEvents = { kept: new Map(), refused: new Set() };
    let batches = 0;
    const send = () => deliver(site, oddBatch(chance, `e${(batches += 1)}`, 20), acknowledged);
    const faults: readonly [string, () => Promise<void>][] = [
      ['nothing', async () => {}],
      ['DuckDB killed', () => site.killDuckDb()],
      [
        'a node killed',
        async () => {
          await site.killNode(chance.between(0, NODES - 1));
          await site.startNode();
        },
      ],
      [
        'everything killed',
        async () => {
          await site.killAll();
          await site.start();
        },
      ],
    ];
    for (let night = 1; night <= NIGHTS; night += 1) {
      await send();
      await site.stop();
      site.copy('data', 'backup');
      await site.start();
      for (let step = 0; step < STEPS; step += 1) {
        const choice = step === STEPS - 1 ? faults.length - 1 : chance.between(0, faults.length - 2);
        const [name, fault] = faults[choice] ?? ['nothing', async () => {}];
        const ms = chance.between(0, 300);
        t.diagnostic(`night ${night}, step ${step}: ${name} after ${ms} ms`);
        await Promise.all([...Array.from({ length: SENDERS }, send), sleep(ms).then(fault)]);
      }
      await settle(site);
      await check(site, acknowledged);
      await site.killAll();
      site.copy('backup', 'data');
      await site.start();
      await Promise.all(Array.from({ length: SENDERS }, send));
      await settle(site);
      await check(site, acknowledged);
    }
    t.diagnostic(`${acknowledged.kept.size} events were accepted and ${acknowledged.refused.size} set aside`);
    assert.ok(acknowledged.kept.size > 0 && acknowledged.refused.size > 0);
  },
);
