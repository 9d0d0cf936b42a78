import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const lateTries: Migration = {
  number: 2026113041,
  name: 'late-tries',
  needs: 24,
  sql: `
    -- tried_at: when a process took a late event to charge it. No other takes it for a minute from then on.
    alter table backline.ad_deliveries add column tried_at timestamptz;
    create index ad_deliveries_late on backline.ad_deliveries (tried_at nulls first, at) where state = 'late';
  `,
};
