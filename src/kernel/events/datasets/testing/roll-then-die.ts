/**
 * A process that rolls the log of DATABASE into FOLDER and is killed at the statement that begins with WORD: the last
 * instant before, as if by a power cut. Arguments: DATABASE FOLDER WORD.
 */
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { worldOf } from '../../testing/world.ts';
import { startRollUps } from '../roll-ups.ts';
import { PLAY } from './datasets-world.ts';

const [url = '', directory = '', word = ''] = process.argv.slice(2);
const opened = openDatabase(url);
const world = worldOf({ eventTypes: { play: PLAY } });
const rollUps = await startRollUps({
  database: {
    ...opened,
    connect: async () => {
      const connection = await opened.connect();
      return {
        ...connection,
        query: async (statement) => {
          const text = typeof statement === 'string' ? statement : statement.text;
          if (text.trim().startsWith(word)) process.kill(process.pid, 'SIGKILL');
          return connection.query(statement);
        },
      };
    },
  },
  directory,
  world: () => world,
  clock: () => Temporal.Instant.from('2026-05-10T12:00:00Z'),
  log: openLog('silent'),
  registry: new Registry(),
});
await rollUps.rollUpNow();
process.exit(0);
