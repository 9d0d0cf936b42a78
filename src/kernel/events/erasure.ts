import type { Database } from '#kernel/postgres/database.ts';
import { ANONYMOUS } from '#kernel/snapshots/anonymous.ts';
import { WITHOUT_WRITERS } from './event-days.ts';
import { inTransaction } from './lane.ts';
import { tokenOf } from './kept-event.ts';
import type { Pseudonyms } from './pseudonyms.ts';

/** A store that holds records of subjects. */
export interface Eraser {
  /** The name of its records, in the plural. */
  readonly store: string;
  /** Removes the records of a subject; gives their number. Idempotent. */
  readonly erase: (subject: string) => Promise<number>;
}

/**
 * The erasers of the event log. Events themselves stay: without the pseudonym's row nothing leads from them to the
 * subject, and their sensitive fields cannot be opened any more.
 */
export function eventErasers(
  database: Database,
  pseudonyms: Pseudonyms,
  quarantineSecret: () => Promise<Buffer>,
): readonly Eraser[] {
  return [
    {
      store: 'pseudonyms',
      erase: async (subject) => {
        const erased = await withoutWriters(
          database,
          'with gone as (delete from backline.pseudonyms where subject = $1 returning 1) select count(*) from gone',
          subject,
        );
        pseudonyms.forget([subject]);
        return erased;
      },
    },
    {
      store: 'quarantined-events',
      erase: async (subject) => {
        const secret = await quarantineSecret();
        return withoutWriters(
          database,
          `with gone as (
            delete from backline.event_quarantine
            where subject = $1 or bound_to = $1 or tokens && array[$2::bigint, $3::bigint] or concat_ws(' ', id, type, detail) ~ $4
            returning 1
          ) select count(*) from gone`,
          subject,
          tokenOf(secret, subject),
          // The event itself holds an anonymous subject as it was sent, without the prefix.
          tokenOf(secret, subject.startsWith(ANONYMOUS) ? subject.slice(ANONYMOUS.length) : subject),
          asWord(subject),
        );
      },
    },
    {
      // Batches stay counted; their producer is erased, and with it the sequence.
      store: 'producers',
      erase: async (subject) =>
        withoutWriters(
          database,
          `with changed as (
            update backline.event_batches set producer = '', sequence = null where producer ~ $1 returning 1
          ) select count(*) from changed`,
          asWord(subject),
        ),
    },
  ];
}

/** A PostgreSQL regular expression that matches a text as a whole word. */
function asWord(text: string): string {
  const escaped = text.replaceAll(/[^\p{L}\p{N}]/gu, String.raw`\$&`);
  return `(^|[^[:alnum:]])${escaped}($|[^[:alnum:]])`;
}

/** Runs a statement after all writers under way have ended, so that none of them writes an erased subject again. */
async function withoutWriters(database: Database, text: string, ...values: readonly string[]): Promise<number> {
  return inTransaction(database, async ({ query }) => {
    await query(WITHOUT_WRITERS);
    const [row] = await query<{ count: number }>({ text, values });
    return row?.count ?? 0;
  });
}
