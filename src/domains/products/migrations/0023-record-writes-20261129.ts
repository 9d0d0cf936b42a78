import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const recordWrites: Migration = {
  number: 23,
  name: 'record-writes-20261129',
  needs: 13,
  sql: `
    -- What was asked under which key of which path, and the first answer, which is given again: kept for at least 32 days.
    -- listeners: whom the answer names.
    create table backline.record_writes (
      path text not null,
      key text not null,
      fingerprint text not null,
      at timestamptz not null,
      listeners text[] not null,
      answer json,
      primary key (path, key)
    );
    create index record_writes_by_time on backline.record_writes using brin (at);
    create index record_writes_of_listeners on backline.record_writes using gin (listeners);
    -- Their keys were unique for good until now; who sends one of them again is told the record. Without a fingerprint
    -- anything counts as the same request.
    insert into backline.record_writes
      select '/v1/subscriptions', key, '', started_at, array[manager], json_build_object('id', id) from backline.subscriptions
      union all
      select '/v1/grants', key, '', created_at, array[listener], json_build_object('id', id) from backline.grants
      union all
      select '/v1/overrides', key, '', created_at, array[listener], json_build_object('id', id) from backline.overrides;
    alter table backline.subscriptions drop constraint subscriptions_key_key, alter column key drop not null;
    alter table backline.grants drop constraint grants_key_key, alter column key drop not null;
    alter table backline.overrides drop constraint overrides_key_key, alter column key drop not null;

    -- terms: of the add-on as it was sold. spent_at: all of it was used when it made room for another.
    alter table backline.grants add column terms jsonb, add column spent_at timestamptz;

    -- What a listener was on before, the last few: late use and what was reserved then are settled by it, and use goes
    -- along from there.
    create table backline.former_terms (
      number bigint generated always as identity primary key,
      listener text not null,
      since_at timestamptz not null,
      until_at timestamptz not null,
      subscription text not null,
      manager text not null,
      household text not null,
      plan text not null,
      market text not null,
      role text not null,
      anchor_wall text not null,
      anchor_zone text not null
    );
    create index former_terms_of_listener on backline.former_terms (listener, number);

    -- Use that a change of records takes along to other counters: written with the change, done before the next use, and
    -- then gone. owner: the listener, or the household, whose facts name it.
    create table backline.use_moves (
      number bigint generated always as identity primary key,
      owner text not null,
      subject text not null,
      at timestamptz not null,
      moves jsonb not null
    );
    create index use_moves_of_owner on backline.use_moves (owner, number);
  `,
};
