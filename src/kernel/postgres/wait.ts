import { setTimeout as sleep } from 'node:timers/promises';
import { postgresRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { type Database, isConnectionLost } from './database.ts';

const WAIT_MS_MAX = 30_000;
const RETRY_MS = 200;

/**
 * Waits until the database answers: at the start it may be starting too, or recovering from a crash. An error that no waiting
 * mends (a wrong password, an unknown database) is thrown at once.
 */
export async function untilAnswers(database: Database, log: Log, signal?: AbortSignal): Promise<void> {
  const giveUp = performance.now() + WAIT_MS_MAX;
  for (let hasLogged = false; ; hasLogged = true) {
    try {
      await database.query('select 1');
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isConnectionLost(error)) throw error;
      const why = error instanceof Error ? error.message : String(error);
      if (performance.now() > giveUp) {
        throw postgresRefusal('unreachable', `The database does not answer: ${why}.`);
      }
      if (!hasLogged) log.warn({ error: why }, 'database: waiting for an answer');
      await sleep(RETRY_MS);
    }
  }
}
