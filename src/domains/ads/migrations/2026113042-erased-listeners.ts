import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const erasedListeners: Migration = {
  number: 2026113042,
  name: 'erased-listeners',
  needs: 24,
  sql: `
    -- Listeners that were erased while tokens that name them may be out. key: a keyed hash of the id. Kept for as long as
    -- such tokens live.
    create table backline.ad_erased_listeners (
      key bytea primary key,
      erased_at timestamptz not null
    );
    create index ad_erased_listeners_by_time on backline.ad_erased_listeners (erased_at);
  `,
};
