import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpClient } from '#kernel/api/client/http.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { untilAnswers } from '#kernel/postgres/wait.ts';
import { openLog } from '#kernel/base/log.ts';
import { caller, type Answer } from '../support/backline.ts';
import { kill, startApi, type ApiProcess } from './processes.ts';

const PROCESSES = 3;
const WRITERS = 8;
const WATCHERS = 12;
/** A run goes on until as many have happened: one long fault must not be all of a short run. */
const FAULTS_MIN = 5;
const PATH = '/api/v1/namespaces/default/configmaps';
/** Deadlines of writes: a few end while the write is queued, forwarded or committed; most do not. */
const DEADLINES_MS = ['5', '30', ...Array.from({ length: 8 }, () => '10000')];
/** The answer that a write was not carried out, and never will be. */
const UNDONE = /nothing was (done|written)/i;

/** A write that was acknowledged: which number of which counter, at which version. */
interface AcknowledgedWrite {
  readonly counter: string;
  readonly number: number;
  readonly version: number;
}

export interface TortureResult {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly faults: readonly string[];
  readonly watched: number;
}

/**
 * Three API processes on one database, eight writers that each count in an object of their own with deadlines of any
 * length, twelve watchers that reconnect, and faults: SIGKILL and SIGSTOP of any process, cut database sessions. Then: no
 * acknowledged write is lost, none was carried out twice or after an answer that it was not, and every watcher saw one
 * order without a gap, a repetition or a step back.
 */
export async function torture(options: {
  readonly databaseUrl: string;
  readonly seconds: number;
  readonly chance: () => number;
  readonly say?: (line: string) => void;
}): Promise<TortureResult> {
  const { databaseUrl, seconds, chance, say = () => {} } = options;
  const database = openDatabase(databaseUrl);
  const data = await Promise.all(Array.from({ length: PROCESSES }, () => mkdtemp(join(tmpdir(), 'backline-torture-'))));
  const apis: (ApiProcess | undefined)[] = [];
  const faults: string[] = [];
  const ended = new AbortController();
  let over = false;
  const anyApi = (): ApiProcess | undefined => apis[Math.floor(chance() * apis.length)];

  try {
    for (const directory of data) {
      // The processes of one installation share their keys and tokens; the first one makes them.
      if (apis.length > 0) await cp(data[0] ?? '', directory, { recursive: true });
      apis.push(await startApi(databaseUrl, directory));
    }
    const writers = Array.from({ length: WRITERS }, (_, index) => count(`counter-${index}`));
    const watchers = Array.from({ length: WATCHERS }, () => observe());
    await disturb();
    over = true;
    const written = await Promise.all(writers);
    const acknowledged = written.flatMap(({ acknowledged }) => acknowledged);
    const last = await settledVersion();
    const seen = await Promise.all(watchers.map((watcher) => watcher(last)));
    await verify(acknowledged, written, seen);
    return {
      acknowledged: acknowledged.length,
      unknown: written.reduce((sum, { unknown }) => sum + unknown, 0),
      faults,
      watched: seen.reduce((sum, versions) => sum + versions.length, 0),
    };
  } finally {
    over = true;
    ended.abort();
    for (const api of apis) if (api !== undefined) await kill(api, 'SIGKILL');
    await database.close();
    await Promise.all(data.map((directory) => rm(directory, { recursive: true, force: true })));
  }

  /** Counts upwards in one object: each write names the version it saw, so that carrying it out twice would show. */
  async function count(
    counter: string,
  ): Promise<{ counter: string; acknowledged: AcknowledgedWrite[]; unknown: number }> {
    const acknowledged: AcknowledgedWrite[] = [];
    let unknown = 0;
    let number = 0;
    /** Whether an earlier try of the next number is maybe still under way. */
    let mayFollow = false;
    while (!over) {
      const api = anyApi();
      if (api === undefined) {
        await sleep(20);
        continue;
      }
      const call = caller({ server: api.url, token: api.token });
      const next = number + 1;
      const deadline = { 'x-request-timeout-ms': DEADLINES_MS[Math.floor(chance() * DEADLINES_MS.length)] ?? '' };
      const answer = await attempt(() =>
        number === 0
          ? call('POST', PATH, { body: { metadata: { name: counter }, data: { number: '1' } }, headers: deadline })
          : call('PATCH', `${PATH}/${counter}`, {
              body: [
                { op: 'test', path: '/data/number', value: String(number) },
                { op: 'replace', path: '/data/number', value: String(next) },
              ],
              headers: { 'content-type': 'application/json-patch+json', ...deadline },
            }),
      );
      if (answer !== undefined && answer.status < 300) {
        acknowledged.push({ counter, number: next, version: Number(answer.json.metadata.resourceVersion) });
        number = next;
        mayFollow = false;
        await readBack(counter, number);
        continue;
      }
      // Without an acknowledgement only a read shows whether the write was carried out, as for a real client.
      const refused = answer?.status ?? 503;
      assert.ok([409, 422, 429, 503, 504].includes(refused), `${refused}: ${answer?.text ?? ''}`);
      unknown += 1;
      const found = (await readNumber(counter)) ?? number;
      const isUndone = UNDONE.test(answer?.text ?? '');
      if (isUndone && !mayFollow) assert.ok(found < next, `${next} was written: ${answer?.text ?? ''}`);
      mayFollow = (mayFollow || !isUndone) && found === number;
      number = found;
    }
    return { counter, acknowledged, unknown };
  }

  /** An acknowledged write is visible in every process, also in one that was stopped meanwhile. */
  async function readBack(counter: string, number: number): Promise<void> {
    const api = anyApi();
    if (api === undefined) return;
    const call = caller({ server: api.url, token: api.token });
    const answer = await attempt(() => call('GET', `${PATH}/${counter}`));
    if (answer === undefined || answer.status === 503) return;
    assert.equal(answer.status, 200, answer.text);
    assert.ok(Number(answer.json.data.number) >= number, `${counter} was ${number}, and is read as ${answer.text}`);
  }

  async function readNumber(counter: string): Promise<number | undefined> {
    while (!over) {
      const api = anyApi();
      const answer =
        api && (await attempt(() => caller({ server: api.url, token: api.token })('GET', `${PATH}/${counter}`)));
      if (answer?.status === 404) return 0;
      if (answer?.status === 200) return Number(answer.json.data.number);
      await sleep(20);
    }
    return undefined;
  }

  /** Watches from the first version on, reconnecting to any process; gives the versions in the order it saw them. */
  function observe(): (until: number) => Promise<number[]> {
    const seen: number[] = [];
    const stop = new AbortController();
    let position: string | undefined;
    let target = Infinity;
    const running = (async () => {
      while (!stop.signal.aborted && !ended.signal.aborted) {
        const api = anyApi();
        try {
          if (api === undefined) throw new Error('that process is down');
          const client = httpClient({ server: api.url, token: api.token });
          position ??= (await client.list(ConfigMap)).version;
          // Each watch ends, so that its reconnection is tested.
          const visit = AbortSignal.any([
            stop.signal,
            ended.signal,
            AbortSignal.timeout(200 + Math.floor(chance() * 2_000)),
          ]);
          for await (const batch of client.watch(ConfigMap, position, visit)) {
            for (const { object } of batch.changes) seen.push(Number(object.metadata.resourceVersion));
            position = batch.version;
            if (Number(position) >= target) stop.abort();
          }
        } catch (error) {
          if (ended.signal.aborted) return;
          assert.ok(!(error instanceof Refusal && error.reason === 'Expired'), 'nothing is compacted meanwhile');
          await sleep(20);
        }
      }
    })();
    return async (until) => {
      target = until;
      await running;
      return seen;
    };
  }

  async function disturb(): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end || faults.length < FAULTS_MIN) {
      await sleep(200 + chance() * 600);
      const index = Math.floor(chance() * apis.length);
      const api = apis[index];
      if (api === undefined) continue;
      const kind = chance();
      if (kind < 0.4) {
        faults.push(`SIGKILL ${index}`);
        apis[index] = undefined;
        await kill(api, 'SIGKILL');
        await sleep(chance() * 300);
        apis[index] = await startApi(databaseUrl, data[index] ?? '');
      } else if (kind < 0.6) {
        faults.push(`SIGTERM ${index}`);
        apis[index] = undefined;
        await kill(api, 'SIGTERM');
        apis[index] = await startApi(databaseUrl, data[index] ?? '');
      } else if (kind < 0.8) {
        faults.push(`SIGSTOP ${index}`);
        api.child.kill('SIGSTOP');
        await sleep(chance() < 0.3 ? 9_000 : chance() * 500);
        api.child.kill('SIGCONT');
      } else if (kind < 0.9) {
        faults.push('sessions cut');
        await database.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
        );
      } else if (kind < 0.95) await stopDatabase();
      else await crashDatabase();
      await untilAnswers(database, openLog('silent'));
      say(faults.at(-1) ?? '');
    }
  }

  /** One killed server process makes PostgreSQL end them all and recover from its log, as after a crash of its own. */
  async function crashDatabase(): Promise<void> {
    const [backend] = await database.query<{ pid: number }>(
      'select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() limit 1',
    );
    if (backend === undefined) return;
    faults.push('PostgreSQL crash');
    process.kill(backend.pid, 'SIGKILL');
  }

  /** Every server process that serves this database stands still for a moment: nothing is answered, nothing is lost. */
  async function stopDatabase(): Promise<void> {
    const backends = await database.query<{ pid: number }>(
      'select pid from pg_stat_activity where datname = current_database()',
    );
    faults.push('PostgreSQL stopped');
    const signal = (name: NodeJS.Signals) => {
      for (const { pid } of backends) {
        try {
          process.kill(pid, name);
        } catch {
          // It ended meanwhile.
        }
      }
    };
    signal('SIGSTOP');
    await sleep(200 + chance() * 1_500);
    signal('SIGCONT');
  }

  async function settledVersion(): Promise<number> {
    const [row] = await database.query<{ version: number }>(
      "select max(version) as version from backline.changes where kind = 'ConfigMap'",
    );
    return row?.version ?? 0;
  }

  async function verify(
    acknowledged: readonly AcknowledgedWrite[],
    written: readonly { counter: string; acknowledged: readonly AcknowledgedWrite[] }[],
    seen: readonly (readonly number[])[],
  ): Promise<void> {
    const rows = await database.query<{ version: number; name: string; body: string }>(
      "select version, name, body from backline.changes where kind = 'ConfigMap' order by version",
    );
    const numbers = rows.map(({ version, name, body }) => {
      const { data } = JSON.parse(body) as { data: { number: string } };
      return { version, counter: name, number: Number(data.number) };
    });
    for (const { counter } of written) {
      const counted = numbers.filter((row) => row.counter === counter).map(({ number }) => number);
      assert.deepEqual(
        counted,
        counted.map((_, index) => index + 1),
        `${counter} counts 1, 2, 3 …: nothing twice, nothing left out`,
      );
    }
    const recorded = new Map(numbers.map((row) => [row.version, row]));
    for (const one of acknowledged) {
      const row = recorded.get(one.version);
      assert.ok(
        row?.counter === one.counter && row.number === one.number,
        `acknowledged ${JSON.stringify(one)} is in the record`,
      );
    }
    const order = rows.map(({ version }) => version);
    for (const versions of seen) {
      const from = order.findIndex((version) => version === versions[0]);
      assert.deepEqual(
        versions,
        order.slice(from === -1 ? order.length : from),
        'one order, without gap or repetition',
      );
    }
  }
}

async function attempt(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}
