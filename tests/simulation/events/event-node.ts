/**
 * A process that takes events in and rolls them into files, as a node with the role ingest does. Prints its port.
 * Arguments: DATABASE DATASETS KEYS.
 */
import { generate } from 'selfsigned';
import { sealingWith } from '#kernel/access/encryption.ts';
import { systemClock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { startRollUps } from '#kernel/events/datasets/roll-ups.ts';
import { startEvents } from '#kernel/events/start-events.ts';
import { tableOf } from '#kernel/events/testing/table.ts';
import { worldOf } from '#kernel/events/testing/world.ts';
import { httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { serveHttp } from '#kernel/http/server.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { ODD_TYPES } from './odd-events.ts';

const ROLL_UP_SECONDS = 0.3;

const [url = '', directory = '', keys = ''] = process.argv.slice(2);
const parts = { database: openDatabase(url), clock: systemClock, log: openLog('silent'), registry: openRegistry() };
const table = tableOf(ODD_TYPES);
const world = worldOf({ eventTypes: ODD_TYPES });
const events = startEvents({
  ...parts,
  sealing: await sealingWith(keys),
  table: () => table,
  admit: () => ({ client: 'client:app' }),
  chargeStranger: () => {},
});
await startRollUps({ ...parts, directory, world: () => world, rollUpSeconds: ROLL_UP_SECONDS });
const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
const server = await serveHttp({
  host: '127.0.0.1',
  port: 0,
  tls: { key: made.private, cert: made.cert },
  handle: async (exchange) => {
    if ((await events.api(exchange)) === false) throw new Refusal('test/no-path', 'NotFound', 'Nothing is here.');
  },
  log: parts.log,
  metrics: httpMetrics(parts.registry, () => undefined),
});
process.stdout.write(`${server.port}\n`);
