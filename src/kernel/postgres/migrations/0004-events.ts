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

    -- Accepted events, a partition for each UTC day on which they were written: event_log_p20260501. A replayed event
    -- keeps the received_at of long ago, with the day of its replay. A reader takes rows in the order of tx, and only
    -- those whose tx is below pg_snapshot_xmin(pg_current_snapshot()): no transaction before them is still open, so
    -- nothing is passed over. The payload is the event's properties as a JSON object; a sensitive field is a text there,
    -- whatever its type: 'sealed:' and BASE64. corrected_at is when it happened, by our clock; event_at by the sender's.
    -- The revision is that of the EventType by which it was accepted.
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
    -- xid8 has no BRIN operators; as rows come in the order of tx, the tree grows at its right edge alone.
    create index event_log_by_tx on backline.event_log (tx);

    -- What has been seen, a partition for each day: event_ids_p20260501. A digest of client, type and id (or of the
    -- identity fields), and a fingerprint of the rest; each half of a SHA-256.
    create table backline.event_ids (
      day date not null,
      digest uuid not null,
      fingerprint uuid not null,
      primary key (digest, day)
    ) partition by range (day);

    -- The day that writers write: it is the same for all of them, so that an id is unique also around midnight. They
    -- lock this table in ROW SHARE mode while they write; whoever begins the next day, or erases a subject, locks it in
    -- EXCLUSIVE mode, and so waits for those under way and keeps off others.
    create table backline.event_day (
      one boolean primary key default true check (one),
      day date not null
    );
    insert into backline.event_day (day) values ('-infinity');

    -- Events that could not be accepted, as they came (sealed with the installation's key, for they may hold anything):
    -- they are replayed when their cause is gone, never dropped silently. The format says how to read them.
    create table backline.event_quarantine (
      number bigint generated always as identity primary key,
      received_at timestamptz not null,
      sent_at timestamptz,
      client text not null,
      format text not null,
      type text not null,
      id text not null,
      subject text,
      reason text not null,
      detail text not null,
      sealed_event text not null,
      replayed_at timestamptz
    );
    create index event_quarantine_by_subject on backline.event_quarantine (subject) where subject is not null;
    create index event_quarantine_by_time on backline.event_quarantine (received_at);

    -- How many came in, one row for each batch and type (empty: no known one), in the transaction of the batch: what the
    -- loss audit counts. A producer numbers its batches: a number that is missing here was lost on the way.
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

    -- Replays and erasures that were carried out, without the subject of an erasure.
    create table backline.event_commands (
      number bigint generated always as identity primary key,
      kind text not null,
      at timestamptz not null,
      author text not null,
      spec text not null,
      status text not null
    );
  `,
};
