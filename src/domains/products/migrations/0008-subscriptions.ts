import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const subscriptions: Migration = {
  number: 8,
  name: 'subscriptions',
  needs: 1,
  sql: `
    -- One row for each listener of whom something is on record. Whoever changes anything of a listener locks the row and
    -- counts it on: answers name the version.
    create table backline.subjects (
      listener text primary key,
      version bigint not null default 1
    );

    -- Anchored windows are counted from the anchor: wall-clock time and zone, as they were on the first day. gives_since:
    -- when it came onto its plan, or was resumed.
    create table backline.subscriptions (
      id text primary key,
      manager text not null,
      household text not null,
      plan text not null,
      market text not null,
      status text not null check (status in ('active', 'lapsed', 'ended')),
      anchor_wall text not null,
      anchor_zone text not null,
      plan_since timestamptz not null,
      gives_since timestamptz not null,
      started_at timestamptz not null,
      ended_at timestamptz,
      price jsonb,
      key text not null unique
    );
    create unique index subscriptions_of_manager on backline.subscriptions (manager) where status <> 'ended';

    -- Who is on a subscription, the manager included. A listener is on one at most.
    create table backline.subscription_members (
      listener text primary key,
      subscription text not null references backline.subscriptions (id) on delete cascade,
      role text not null,
      since timestamptz not null
    );
    create index members_of_subscription on backline.subscription_members (subscription);

    create table backline.grants (
      id text primary key,
      listener text not null,
      add_on text not null,
      feature text not null,
      amount bigint not null check (amount > 0),
      created_at timestamptz not null,
      valid_from timestamptz not null,
      valid_until timestamptz,
      anchor_wall text,
      anchor_zone text,
      price jsonb,
      key text not null unique
    );
    create index grants_of_listener on backline.grants (listener);

    create table backline.overrides (
      id text primary key,
      listener text not null,
      feature text not null,
      max_units text,
      value jsonb,
      reason text not null,
      created_at timestamptz not null,
      until_at timestamptz not null,
      key text not null unique
    );
    create index overrides_of_listener on backline.overrides (listener);

    -- Secrets that all processes share, sealed with the installation's key.
    create table backline.secrets (
      name text primary key,
      sealed text not null
    );

    -- Everything that was done to these records, in the transaction that did it: who, when, what.
    create table backline.subject_changes (
      number bigint generated always as identity primary key,
      at timestamptz not null,
      listener text not null,
      author text not null,
      action text not null,
      detail jsonb not null,
      -- Whether it has become an event.
      told boolean not null default false
    );
    create index subject_changes_of_listener on backline.subject_changes (listener, number);
    create index subject_changes_untold on backline.subject_changes (number) where not told;
  `,
};
