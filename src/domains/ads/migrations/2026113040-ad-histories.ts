import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adHistories: Migration = {
  number: 2026113040,
  name: 'ad-histories',
  needs: 24,
  sql: `
    -- Capped ads that a listener, household, device or session got lately. key: a pseudonym of its id. version: one more
    -- with each change, and a random number at first, so that a row which was erased and made again is another one.
    -- listener: the key of the listener who used the device or session last. until_day: nothing of it counts from this
    -- day on; days since 1970, so that an index of it changes once a day. Room in the pages keeps updates out of indexes.
    create table backline.ad_histories (
      key bytea primary key,
      version bigint not null default floor(random() * 1e12),
      until_day integer not null,
      listener bytea,
      history bytea not null default ''
    ) with (fillfactor = 60);
    alter table backline.ad_histories alter column history set storage external;
    create index ad_histories_by_day on backline.ad_histories (until_day);
    create index ad_histories_of_listener on backline.ad_histories (listener) where listener is not null;
  `,
};
