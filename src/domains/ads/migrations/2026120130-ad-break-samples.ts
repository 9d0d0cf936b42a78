import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adBreakSamples: Migration = {
  number: 2026120130,
  name: 'ad-break-samples',
  needs: 24,
  sql: `
    -- Breaks of a day for listeners who may hear ads, on all nodes.
    create table backline.ad_break_days (
      day date not null,
      placement text not null,
      breaks bigint not null,
      primary key (day, placement)
    );
    -- An even sample of them: those with the lowest random numbers. context: what audiences may read of the listener, without ids;
    -- null where they permitted less.
    create table backline.ad_break_samples (
      day date not null,
      placement text not null,
      priority float8 not null,
      context jsonb,
      primary key (day, placement, priority)
    );
  `,
};
