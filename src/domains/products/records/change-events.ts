import { hash } from 'node:crypto';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { repeat } from '#kernel/base/repeat.ts';
import { moveSome } from '#kernel/events/move-rows.ts';
import type { Job, JobParts } from '#kernel/modules/module.ts';

const LIMITS = {
  everyMs: 2_000,
  /** Changes per batch. */
  changesMax: 500,
} as const;

/** The EventType for record changes, where it is declared. */
const EVENT_TYPE = 'subject-change';

/** Fields of a change that hold record ids. */
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
 * Writes changes of listener records to the event log, at least once each; the event id removes duplicates.
 * Any number of processes may run it. Changes wait until the EventType is declared.
 */
export function tellChanges(parts: JobParts): Job {
  const run = (): Promise<void> => tellSome(parts);
  const warn = (error: unknown): void =>
    parts.log.error({ err: error }, 'records: cannot write change events; retrying');
  return { close: repeat(LIMITS.everyMs, run, warn) };
}

async function tellSome(parts: JobParts): Promise<void> {
  const { database, sealing, table } = parts;
  const rules = table();
  const declared = rules.types.get(EVENT_TYPE);
  if (declared === undefined) return;
  const secret = await sharedSecret(database, sealing, 'change-events');
  const isReasonSealed = declared.sensitive.includes(REASON);
  await moveSome<ChangeRow>(
    { ...parts, table: () => rules },
    {
      read: (query) =>
        query({
          text: `select number, at, listener, action, detail from backline.subject_changes
            where not told order by number limit ${LIMITS.changesMax} for update skip locked`,
        }),
      eventOf: (row) => eventOf(row, secret, isReasonSealed),
      mark: (query, rows) =>
        query({
          text: 'update backline.subject_changes set told = true where number = any($1::bigint[])',
          values: [rows.map(({ number }) => number)],
        }),
    },
  );
}

/**
 * The event of a change. It does not identify other listeners, ids are pseudonymous, and the reason is
 * included only where events are sealed. Its time is that of the change.
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

/** Equal in all events of one listener and different for every other: members of a family do not share it. */
function derivedId(secret: Buffer, of: readonly unknown[]): string {
  const digest = hash('sha256', Buffer.concat([secret, Buffer.from(JSON.stringify(of))]), 'base64url');
  return digest.slice(0, DERIVED_CHARS);
}
