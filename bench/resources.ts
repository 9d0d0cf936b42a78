import { randomUUID } from 'node:crypto';
import { openDatabase } from '#kernel/postgres/database.ts';
import { absolute, median, type Figure } from './figure.ts';
import { cpuSeconds, load, startBackline } from './load.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OBJECTS = 10_000;
const CLIENTS = 32;
const PATH = '/api/v1/namespaces/default/configmaps';
/** About a kilobyte an object. */
const DATA = { text: 'x'.repeat(700) };

/**
 * Durable creates, patches and lists of 10,000 objects of about 1 KB over HTTP with 32 clients. The peer is the least
 * that stores as many bytes as durably: inserts in batches of 32 rows.
 */
export async function* run(): AsyncIterable<Figure> {
  const backline = await startBackline(['--no-sample']);
  const headers = { authorization: `Bearer ${backline.token}`, 'content-type': 'application/json' };
  try {
    const batched = await rawInserts();
    const cpu0 = await cpuSeconds(backline.url);
    const create = await load(backline.url, OBJECTS, CLIENTS, (index) => ({
      method: 'POST',
      path: PATH,
      headers,
      body: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `m${index}`, labels: { shard: String(index % 100) } },
        data: DATA,
      }),
      status: 201,
    }));
    const cpu1 = await cpuSeconds(backline.url);
    yield absolute('resources/create', 'creates/s', OBJECTS / create, { min: 2_500 }, batched);
    yield absolute('resources/create-cpu', 'ms CPU each', ((cpu1 - cpu0) * 1000) / OBJECTS, { max: 0.5 });

    const patch = await load(backline.url, OBJECTS, CLIENTS, (index) => ({
      method: 'PATCH',
      path: `${PATH}/m${index}`,
      headers: { ...headers, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ data: { patched: String(index) } }),
      status: 200,
    }));
    const cpu2 = await cpuSeconds(backline.url);
    yield absolute('resources/merge-patch', 'patches/s', OBJECTS / patch, { min: 2_500 }, batched);
    yield absolute('resources/merge-patch-cpu', 'ms CPU each', ((cpu2 - cpu1) * 1000) / OBJECTS, { max: 0.72 });

    const seconds = async (query: string) => {
      const times: number[] = [];
      for (let round = 0; round < 7; round += 1) {
        const started = performance.now();
        const answer = await fetch(`${backline.url}${PATH}${query}`, { headers });
        await answer.arrayBuffer();
        times.push((performance.now() - started) / 1000);
      }
      return median(times);
    };
    yield absolute('resources/list-10000', 's', await seconds(''), { max: 0.15 });
    yield absolute('resources/list-by-label', 's', await seconds('?labelSelector=shard%3D7'), { max: 0.05 });
  } finally {
    await backline.close();
  }
}

/** Rows a second into the same kind of PostgreSQL, without any of our server in between. */
async function rawInserts(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-raw-'));
  const postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  const database = openDatabase(postgres.url);
  try {
    await database.query('create table raw (id uuid primary key, body text not null)');
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', labels: { shard: '1' } },
      data: DATA,
    });
    const rows = OBJECTS / 2;
    const batchStarted = performance.now();
    for (let done = 0; done < rows; done += CLIENTS) {
      await database.query({
        name: 'many',
        text: 'insert into raw (id, body) select * from unnest($1::uuid[], $2::text[])',
        values: [Array.from({ length: CLIENTS }, () => randomUUID()), Array.from({ length: CLIENTS }, () => body)],
      });
    }
    return rows / ((performance.now() - batchStarted) / 1000);
  } finally {
    await database.close();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}
