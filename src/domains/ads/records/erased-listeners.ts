import { createHmac } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { TOKEN_LIMITS } from '../serving/ad-token.ts';

export const ERASED_LIMITS = {
  /** Of a hash: 128 bits. */
  keyBytes: 16,
  /** A token sealed so soon after the erasure is of a decision that was under way. */
  marginMs: 60_000,
  /** Rows that one statement of `tidy` drops. */
  droppedMax: 10_000,
} as const;

/** The key of a listener in `ad_erased_listeners`, in hexadecimal digits. */
export function erasedKeyOf(secret: Buffer, listener: string): string {
  return createHmac('sha256', secret)
    .update(`erased ${listener}`)
    .digest('hex')
    .slice(0, ERASED_LIMITS.keyBytes * 2);
}

interface ErasedParts {
  readonly database: Database;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  /** The same in all processes of the installation. */
  readonly secret: Buffer;
}

/**
 * Takes the listener out of events that are not in the event log yet; money and counts stay. Tokens that are out still name
 * the listener: events of those count without a subject from here on.
 */
export async function eraseListener({ database, clock, secret }: ErasedParts, listener: string): Promise<number> {
  await database.query({
    text: `insert into backline.ad_erased_listeners (key, erased_at)
      values (decode($1, 'hex'), coalesce($2::timestamptz, now()))
      on conflict (key) do update set erased_at = excluded.erased_at`,
    values: [erasedKeyOf(secret, listener), clock?.().toString() ?? null],
  });
  return database.transaction(async ({ query }) => {
    // Statements that began before the key was there have ended: later ones see it.
    await query('lock table backline.ad_deliveries in share row exclusive mode');
    const rows = await query({
      text: `update backline.ad_deliveries set token = jsonb_set(token, '{subject}', '{}')
        where not is_logged and token -> 'subject' ->> 'listener' = $1 returning place`,
      values: [listener],
    });
    return rows.length;
  });
}

/** Drops keys that no living token can name. */
export async function dropOldErasures({ database, clock }: Omit<ErasedParts, 'secret'>): Promise<void> {
  for (;;) {
    const rows = await database.patient.query({
      text: `
        delete from backline.ad_erased_listeners where key in (
          select key from backline.ad_erased_listeners
          where erased_at < coalesce($1::timestamptz, now()) - $2 * interval '1 millisecond' limit $3
        ) returning 1`,
      values: [
        clock?.().toString() ?? null,
        TOKEN_LIMITS.lifetimeMs + 2 * ERASED_LIMITS.marginMs,
        ERASED_LIMITS.droppedMax,
      ],
    });
    if (rows.length < ERASED_LIMITS.droppedMax) return;
  }
}
