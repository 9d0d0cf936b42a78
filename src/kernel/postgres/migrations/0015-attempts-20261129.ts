import type { Migration } from './migration.ts';

export const attempts: Migration = {
  number: 15,
  name: 'attempts 2026-11-29',
  needs: 15,
  sql: `
    -- Equal attempts of one day are one row (kernel/access/audit/attempts.ts). alike: a digest of what they have in common;
    -- empty where each attempt has a row of its own.
    alter table backline.attempts
      add column day date,
      add column alike text not null default '',
      add column times bigint not null default 1,
      add column last_at timestamptz;
    create unique index attempts_alike on backline.attempts (day, author, alike) where alike <> '';
  `,
};
