import type { Migration } from './migration.ts';

export const quotas: Migration = {
  number: 7,
  name: 'quotas',
  needs: 1,
  sql: `
    -- Whose use is counted here. Whoever decides about a subject locks its row, and with it all that follows below: one
    -- lock for each subject, taken in one order.
    create table backline.quota_subjects (
      subject text primary key
    );

    -- Use by bucket (the uid of a cap or a grant, never a revision) and window; reservations count as used. A rolling
    -- window has entries instead: JSON, [[epoch milliseconds, units], …]. until_at: the end of the window, if it has one.
    create table backline.quota_counters (
      subject text not null,
      bucket text not null,
      window_key text not null,
      used bigint not null check (used >= 0),
      entries text not null default '',
      until_at timestamptz,
      updated_at timestamptz not null,
      primary key (subject, bucket, window_key)
    );
    -- Counters are updated all the time, and nothing that is indexed changes: room on the page keeps it to the page.
    alter table backline.quota_counters set (fillfactor = 70);
    create index quota_counters_ended on backline.quota_counters (until_at) where until_at is not null;

    -- The ledger: every operation that was decided, with its first answer (JSON, the receipt in it), which is given again
    -- to whoever comes with the same key. returned: units of each line of the receipt that were given back, as JSON.
    -- others: subjects besides the first one that the receipt names.
    create table backline.quota_operations (
      subject text not null,
      key text not null,
      kind text not null,
      fingerprint text not null,
      at timestamptz not null,
      denied boolean not null,
      answer text not null,
      returned text not null default '',
      others text[] not null default '{}',
      primary key (subject, key)
    );
    create index quota_operations_by_time on backline.quota_operations using brin (at);
    create index quota_operations_of_others on backline.quota_operations using gin (others) where others <> '{}';

    -- Units that are taken but may come back: reservations, offline leases of devices, slices of nodes.
    create table backline.quota_holds (
      subject text not null,
      key text not null,
      quota text not null,
      kind text not null,
      owner text not null,
      state text not null,
      amount bigint not null,
      lines text not null,
      expires_at timestamptz not null,
      settled_at timestamptz,
      recalled_at timestamptz,
      primary key (subject, key)
    );
    create index quota_holds_held on backline.quota_holds (subject, expires_at) where state = 'held';
    create index quota_holds_of_nodes on backline.quota_holds (owner) where state = 'held' and kind = 'slice';
    create index quota_holds_settled on backline.quota_holds (settled_at) where settled_at is not null;

    -- What is in use at once. A row whose time is over takes no slot; it is kept for a day, to say how it ended.
    create table backline.quota_slots (
      subject text not null,
      quota text not null,
      session text not null,
      holder text not null,
      since_at timestamptz not null,
      expires_at timestamptz not null,
      ended text not null,
      ended_by text not null,
      primary key (subject, quota, session)
    );
    create index quota_slots_by_expiry on backline.quota_slots (expires_at);
  `,
};
