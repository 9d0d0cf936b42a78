/**
 * A process that takes events in and rolls them into files, as a node with the role ingest does. Prints its port.
 * Arguments: DATABASE DATASETS KEYS.
 */
import { sealingWith } from '#kernel/access/encryption.ts';
import { systemClock } from '#kernel/base/clock.ts';
import { openLog } from '#kernel/base/log.ts';
import { startRollUps } from '#kernel/events/datasets/roll-ups.ts';
import { startEvents } from '#kernel/events/start-events.ts';
import { serveEvents } from '#kernel/events/testing/ingest.ts';
import { tableOf } from '#kernel/events/testing/table.ts';
import { worldOf } from '#kernel/events/testing/world.ts';
import { openRegistry } from '#kernel/http/metrics.ts';
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
});
await startRollUps({ ...parts, directory, world: () => world, rollUpSeconds: ROLL_UP_SECONDS });
const server = await serveEvents(events, parts);
process.stdout.write(`${server.port}\n`);
