import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adAccounts: Migration = {
  number: 2026120140,
  name: 'ad-accounts',
  needs: 24,
  sql: `
    -- The currency of each ledger: that of the account when money was first asked for. Kept as the ledger is.
    create table backline.ad_accounts (
      account text primary key,
      currency text not null
    );
  `,
};
