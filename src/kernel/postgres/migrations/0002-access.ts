import type { Migration } from './migration.ts';

export const access: Migration = {
  number: 2,
  name: 'access',
  needs: 1,
  sql: `
    -- Where a change came from, as JSON; empty for what this program does by itself.
    alter table backline.changes add column caller text not null default '';

    -- Attempts to write that changed nothing: refused, a dry run, or nothing to change. With backline.changes, in which
    -- every accepted change stands, this is the audit record.
    create table backline.attempts (
      number bigint generated always as identity primary key,
      at timestamptz not null,
      request_id text not null,
      author text not null,
      caller text not null,
      kind text not null,
      part text not null,
      namespace text not null,
      name text not null,
      dry_run boolean not null,
      code integer not null,
      reason text not null
    );
    create index attempts_by_time on backline.attempts (at);

    -- Keys that sign the tokens of service accounts; the private part is sealed with the installation's key.
    create table backline.signing_keys (
      id text primary key,
      sealed text not null,
      at timestamptz not null
    );
  `,
};
