import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';

/** Limits of the quarantine for one sender and day. Events beyond are counted and not kept. */
export const ROOM = { eventsMax: 10_000, bytesMax: 64 * 1024 * 1024 } as const;

interface Aside {
  readonly client: string;
  readonly bytes: number;
}

/**
 * Takes room for events, in the transaction that quarantines them; gives for each of them whether it is kept. Senders are
 * sorted, so that two transactions cannot deadlock.
 */
export async function takeRoom(
  { query }: Queryable,
  day: string,
  events: readonly Aside[],
): Promise<readonly boolean[]> {
  const byClient = [...Map.groupBy(events, ({ client }) => client)].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = await query<{ client: string; events: number; bytes: number }>({
    name: 'take-quarantine-room',
    text: `
      insert into backline.event_quarantine_room as r (day, client, events, bytes)
      select $1::date, client, events, bytes from unnest($2::text[], $3::bigint[], $4::bigint[]) as g (client, events, bytes)
      on conflict (day, client) do update set events = r.events + excluded.events, bytes = r.bytes + excluded.bytes
      returning client, events, bytes`,
    values: [
      day,
      textArray(byClient.map(([client]) => client)),
      bigintArray(byClient.map(([, own]) => own.length)),
      bigintArray(byClient.map(([, own]) => bytesOf(own))),
    ],
  });
  const before = new Map(
    rows.map(({ client, ...after }) => {
      const own = events.filter((event) => event.client === client);
      return [client, { events: after.events - own.length, bytes: after.bytes - bytesOf(own) }];
    }),
  );
  return events.map(({ client, bytes }) => {
    const taken = before.get(client);
    if (taken === undefined) throw new Error('no room was taken for a sender');
    taken.events += 1;
    taken.bytes += bytes;
    return taken.events <= ROOM.eventsMax && taken.bytes <= ROOM.bytesMax;
  });
}

function bytesOf(events: readonly Aside[]): number {
  return events.reduce((sum, { bytes }) => sum + bytes, 0);
}
