import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '#kernel/postgres/database.ts';
import { ANONYMOUS } from '#kernel/snapshots/anonymous.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { digestEvent, payloadOf, type EventDigests } from './digest.ts';
import type { AcceptedEvent, Verdict } from './judge.ts';
import { sealEvent, type KeptEvent } from './kept-event.ts';
import type { Pseudonyms } from './pseudonyms.ts';
import { openQuarantineSecret } from './quarantine-secret.ts';
import type { SubjectKey } from './subject-key.ts';
import type { Origin, ReadyEvent } from './write-events.ts';

/** Events that are sealed for the quarantine in one turn of the event loop: some milliseconds. */
const REFUSED_AT_ONCE_MAX = 20;

/** Events of one request, judged. */
export interface JudgedBatch {
  readonly origin: Origin;
  readonly verdicts: readonly Verdict[];
  /** Numbers of replayed events in the quarantine; as long as `verdicts`. */
  readonly replayOf?: readonly number[];
}

/** Prepares judged events for the database: replaces subjects by pseudonyms and seals refused events. */
export function eventPreparation(parts: {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly pseudonyms: Pseudonyms;
}): (batches: readonly JudgedBatch[]) => Promise<readonly ReadyEvent[]> {
  const { database, sealing, pseudonyms } = parts;
  const quarantineSecret = openQuarantineSecret(database, sealing);
  return prepare;

  async function prepare(batches: readonly JudgedBatch[]): Promise<readonly ReadyEvent[]> {
    const keys = await pseudonyms.of(subjectsOf(batches));
    const lateKeys = await pseudonyms.existing(lateSubjectsOf(batches));
    const secret = await quarantineSecret();
    const ready: ReadyEvent[] = [];
    let refused = 0;
    for (const { origin, verdicts, replayOf } of batches) {
      for (const [index, verdict] of verdicts.entries()) {
        const { format, original } = verdict.given;
        const seal = (text: string): string => sealing.seal(placeOf(format), text);
        const keep = (): KeptEvent => sealEvent(original, origin.boundTo, { secret, seal });
        const shared = { origin, replayOf: replayOf?.[index] };
        if (verdict.outcome === 'quarantined') {
          const kept = keep();
          const late = verdict.late === undefined ? undefined : digestLate(verdict.late, origin, lateKeys);
          ready.push({ ...shared, verdict, seal: () => kept, late });
          refused += 1;
          // Digests of a thousand refused events would hold the event loop for too long.
          if (refused % REFUSED_AT_ONCE_MAX === 0) await nextTurn();
          continue;
        }
        const key = verdict.subject === undefined ? undefined : keys.get(verdict.subject);
        ready.push({
          ...shared,
          verdict,
          seal: keep,
          key,
          digests: digestEvent(verdict, clientOf(origin), key),
          payload: payloadOf(verdict, key),
        });
      }
    }
    return ready;
  }
}

/** The digests of a late event; undefined where its subject has no key, so that none of its events was accepted. */
function digestLate(
  event: AcceptedEvent,
  origin: Origin,
  keys: ReadonlyMap<string, SubjectKey>,
): EventDigests | undefined {
  const key = event.subject === undefined ? undefined : keys.get(event.subject);
  if (event.subject !== undefined && key === undefined) return undefined;
  return digestEvent(event, clientOf(origin), key);
}

/** The client for deduplication: a retry after the login is the same event. */
function clientOf({ client }: Origin): string {
  return client.startsWith(ANONYMOUS) ? `client:${client.slice(ANONYMOUS.length)}` : client;
}

/** The place that sealed events of the quarantine are bound to. */
export function placeOf(format: string) {
  return { kind: 'QuarantinedEvent', namespace: '', name: format };
}

function* lateSubjectsOf(batches: readonly JudgedBatch[]): Iterable<string> {
  for (const { verdicts } of batches) {
    for (const verdict of verdicts) {
      if (verdict.outcome === 'quarantined' && verdict.late?.subject !== undefined) yield verdict.late.subject;
    }
  }
}

export function* subjectsOf(batches: readonly JudgedBatch[]): Iterable<string> {
  for (const { verdicts } of batches) {
    for (const verdict of verdicts) {
      if (verdict.outcome === 'accepted' && verdict.subject !== undefined) yield verdict.subject;
    }
  }
}
