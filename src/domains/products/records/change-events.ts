import { hash } from 'node:crypto';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { writeOwnEvents } from '#kernel/events/write-own-events.ts';
import type { Job, JobParts } from '#kernel/modules/module.ts';

const LIMITS = {
  everyMs: 2_000,
  /** Changes of one look. */
  changesMax: 500,
} as const;

/** The EventType that changes of records become, where it is declared. */
const EVENT_TYPE = 'subject-change';

/** What a change says of records by their ids, and in somebody's words. */
const IDS = ['subscription', 'grant', 'override'] as const;
const REASON = 'reason';
/** 132 bits. */
const DERIVED_CHARS = 22;

interface ChangeRow {
  readonly number: number;
  readonly at: Temporal.Instant;
  readonly listener: string;
  readonly action: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Turns changes of listeners' records into events of the log: each at least once, and under an id of its own, so that
 * it counts once. Any number of processes may do so. Without a declared EventType changes wait.
 */
export function tellChanges({ database, sealing, write, table, clock, log }: JobParts): Job {
  let working: Promise<void> | undefined;
  const timer = setInterval(() => {
    tellNow().catch((error: unknown) => log.error({ err: error }, 'records: cannot write change events; retrying'));
  }, LIMITS.everyMs);
  return {
    close: async () => {
      clearInterval(timer);
      await working?.catch(() => {});
    },
  };

  function tellNow(): Promise<void> {
    working ??= tell().finally(() => {
      working = undefined;
    });
    return working;
  }

  async function tell(): Promise<void> {
    const rules = table();
    const declared = rules.types.get(EVENT_TYPE);
    if (declared === undefined) return;
    const secret = await sharedSecret(database, sealing, 'change-events');
    const isReasonSealed = declared.sensitive.includes(REASON);
    await database.transaction(async ({ query }) => {
      const rows = await query<ChangeRow>({
        text: `select number, at, listener, action, detail from backline.subject_changes
          where not told order by number limit ${LIMITS.changesMax} for update skip locked`,
      });
      if (rows.length === 0) return;
      const events = rows.map((row) => eventOf(row, secret, isReasonSealed));
      await writeOwnEvents({ write, table: () => rules, clock }, events);
      await query({
        text: 'update backline.subject_changes set told = true where number = any($1::bigint[])',
        values: [rows.map(({ number }) => number)],
      });
    });
  }
}

/**
 * The change as an event about the listener. No id in it leads back to the record: other listeners are left out, ids are
 * those of nothing else, and why something was done is told only where it is sealed. Its time is that of the change.
 */
function eventOf({ number, at, listener, action, detail }: ChangeRow, secret: Buffer, isReasonSealed: boolean): object {
  const { listener: _other, [REASON]: reason, ...rest } = detail;
  const properties: Record<string, unknown> = rest;
  for (const name of IDS) {
    const id = properties[name];
    if (id !== undefined) properties[name] = derivedId(secret, [listener, name, id]);
  }
  return {
    type: EVENT_TYPE,
    id: `change-${number}`,
    at: at.toString(),
    subject: listener,
    properties: { action, ...properties, ...(isReasonSealed && reason !== undefined ? { reason } : {}) },
  };
}

/** The same in all events of one listener, and in nothing else: a family's members do not share it either. */
function derivedId(secret: Buffer, of: readonly unknown[]): string {
  const digest = hash('sha256', Buffer.concat([secret, Buffer.from(JSON.stringify(of))]), 'base64url');
  return digest.slice(0, DERIVED_CHARS);
}
