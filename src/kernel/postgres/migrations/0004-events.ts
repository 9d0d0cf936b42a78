import type { Migration } from './migration.ts';

export const events: Migration = {
  number: 4,
  name: 'events',
  needs: 1,
  sql: `
    -- Who a pseudonym stands for, and the key that the sensitive fields of the subject's events are sealed with (itself
    -- sealed with the installation's key). Deleting the row is the erasure: nothing else leads from events to a person.
    create table backline.pseudonyms (
      subject text primary key,
      pseudonym uuid not null unique,
      sealed_key text not null,
      created_at timestamptz not null
    );

    -- Accepted events, a partition for each day of receipt (UTC). A reader takes rows in the order of tx, and only those
    -- whose tx is below pg_snapshot_xmin(pg_current_snapshot()): no transaction before them is still open, so nothing is
    -- passed over. The payload is JSON text as it was accepted, its sensitive fields sealed.
    create table backline.event_log (
      day date not null,
      tx xid8 not null default pg_current_xact_id(),
      type text not null,
      id text not null,
      client text not null,
      pseudonym uuid,
      event_at timestamptz not null,
      sent_at timestamptz,
      received_at timestamptz not null,
      corrected_at timestamptz not null,
      revision text not null,
      payload text not null
    ) partition by range (day);
    create index event_log_by_tx on backline.event_log using brin (tx) with (pages_per_range = 16);

    -- What has been seen: a digest of client, type and id (or identity fields), and a fingerprint of the rest.
    create table backline.event_ids (
      day date not null,
      digest bytea not null,
      fingerprint bytea not null,
      primary key (digest, day)
    ) partition by range (day);

    -- Events that could not be accepted, as they came: they are replayed when their cause is gone, never dropped silently.
    create table backline.event_quarantine (
      number bigint generated always as identity primary key,
      received_at timestamptz not null,
      sent_at timestamptz,
      client text not null,
      type text not null,
      id text not null,
      subject text,
      reason text not null,
      detail text not null,
      event text not null,
      replayed_at timestamptz
    );
    create index event_quarantine_by_subject on backline.event_quarantine (subject) where subject is not null;

    -- How many came in, one row for each batch and type, in the transaction of the batch: what the loss audit counts.
    create table backline.event_batches (
      tx xid8 not null default pg_current_xact_id(),
      received_at timestamptz not null,
      client text not null,
      producer text not null,
      sequence bigint,
      type text not null,
      accepted integer not null,
      duplicates integer not null,
      quarantined integer not null
    );
    create index event_batches_by_time on backline.event_batches using brin (received_at);
  `,
};
