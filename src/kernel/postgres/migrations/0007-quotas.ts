import type { Migration } from './migration.ts';

export const quotas: Migration = {
  number: 7,
  name: 'quotas',
  needs: 1,
  sql: `
    -- Which databases use is spread over, in order, by their ids; in the main one. And the id of this one.
    create table backline.quota_databases (
      place integer primary key,
      id uuid not null unique
    );
    create table backline.quota_identity (
      singleton boolean primary key default true check (singleton),
      id uuid not null
    );

    -- Whose use is counted here. Whoever reads what a decision goes by, or changes holds or slots, locks the rows of its
    -- subjects first, in one order.
    create table backline.quota_subjects (
      subject text primary key
    );

    -- Use by bucket (the uid of a cap or a grant, never a revision) and window; reservations count as used. entries: JSON
    -- of a rolling window, [[epoch milliseconds, units], …], or of one whose units go on to the next (counter-entries.ts).
    -- until_at: the end of the window, if it has one.
    -- id: a random number, so that whoever makes a counter knows it at once. mark: that of the transaction that wrote it
    -- last, by which a process knows that what it remembers still holds.
    create table backline.quota_counters (
      id bigint primary key,
      subject text not null,
      bucket text not null,
      window_key text not null,
      used bigint not null check (used >= 0),
      mark bigint not null,
      entries text,
      until_at timestamptz,
      unique (subject, bucket, window_key)
    );
    -- Counters are updated all the time, and nothing that is indexed changes: room on the page keeps it to the page.
    alter table backline.quota_counters set (fillfactor = 50);
    create index quota_counters_ended on backline.quota_counters (until_at) where until_at is not null;

    -- The ledger: every operation that was decided, with its request and its first answer (JSON, see ledger-text.ts), which
    -- is given again to whoever comes with the same key. Few columns, for each of them costs as much as an index entry.
    -- returned: units of each line of the receipt that were given back, as JSON. others: subjects besides the first one
    -- that the receipt names.
    create table backline.quota_operations (
      subject text not null,
      key text not null,
      at timestamptz not null,
      denied boolean not null,
      answer text not null,
      returned text,
      others text[],
      primary key (subject, key)
    );
    create index quota_operations_by_time on backline.quota_operations using brin (at);
    create index quota_operations_of_others on backline.quota_operations using gin (others) where others is not null;

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

    -- Sees that the counters are as the caller knows them, by their marks, in the order of their ids, and writes what was
    -- decided, all of it; its time then is ours, in epoch milliseconds. Or it writes nothing, and ours is null: when a key
    -- or a new counter is taken, a subject is not there, the decision was made by a clock too far from ours, or counters
    -- have changed, whose subjects are told as JSON. bare: subjects of which no counter is there yet.
    -- By the settings each row is found by its index, whatever the statistics were when this was planned.
    create function backline.record_quotas(
      now_ms bigint, apart_ms bigint, new_mark bigint, bare text[],
      ids bigint[], uses bigint[], marks bigint[], all_entries text[],
      new_ids bigint[], new_subjects text[], new_buckets text[], new_windows text[], new_uses bigint[],
      new_entries text[], new_untils bigint[],
      subjects text[], keys text[], answers text[], all_others text[], out ours bigint, out changed text
    ) language plpgsql
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
    as $function$
    declare
      written bigint;
      decided_at timestamptz := to_timestamp(now_ms / 1000.0);
    begin
      if cardinality(bare) > 0 then
        perform from backline.quota_subjects s where s.subject = any (bare) order by s.subject for key share;
        get diagnostics written = row_count;
        if written < cardinality(bare) then
          raise exception 'subjects of quotas are gone' using errcode = 'BQ001';
        end if;
      end if;
      update backline.quota_counters c set used = g.used, mark = new_mark, entries = nullif(g.entries, '')
      from (
        select * from unnest(ids, uses, marks, all_entries) as u (id, used, mark, entries) order by id offset 0
      ) g
      where c.id = g.id and c.mark = g.mark;
      get diagnostics written = row_count;
      if written < cardinality(ids) then
        select json_agg(distinct c.subject) into changed
        from unnest(ids) as g (id) join backline.quota_counters c on c.id = g.id where c.mark <> new_mark;
        raise exception 'counters of quotas have changed' using errcode = 'BQ001';
      end if;
      ours := extract(epoch from clock_timestamp()) * 1000;
      if abs(ours - now_ms) > apart_ms then
        raise exception 'quotas were decided % ms from now', now_ms - ours using errcode = 'BQ001';
      end if;
      if cardinality(new_ids) > 0 then
        insert into backline.quota_counters (id, subject, bucket, window_key, used, mark, entries, until_at)
        select id, subject, bucket, window_key, used, new_mark, nullif(entries, ''),
          to_timestamp(nullif(until, ${Number.MIN_SAFE_INTEGER}) / 1000.0)
        from unnest(new_ids, new_subjects, new_buckets, new_windows, new_uses, new_entries, new_untils)
          as g (id, subject, bucket, window_key, used, entries, until)
        order by subject, bucket, window_key;
      end if;
      insert into backline.quota_operations (subject, key, at, denied, answer, others)
      select subject, key, decided_at, starts_with(answer, '["denied"'), answer,
        case when others <> '' then array(select jsonb_array_elements_text(others::jsonb)) end
      from unnest(subjects, keys, answers, all_others) as g (subject, key, answer, others);
    exception
      -- What was written is taken back with it.
      when sqlstate 'BQ001' or unique_violation then ours := null;
    end
    $function$;
  `,
};
