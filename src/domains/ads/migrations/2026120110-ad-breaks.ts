import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adBreaks: Migration = {
  number: 2026120110,
  name: 'ad-breaks',
  needs: 24,
  sql: `
    -- Breaks of a minute for listeners who may hear ads, until they are in the event log. market: empty where none was named.
    -- id: of the event; breaks that come after it was written are another one.
    create table backline.ad_breaks (
      minute timestamptz not null,
      placement text not null,
      market text not null,
      id uuid not null default gen_random_uuid(),
      breaks bigint not null,
      slots bigint not null,
      filled bigint not null,
      primary key (minute, placement, market)
    );
  `,
};
