import type { Migration } from './migration.ts';

export const quotas: Migration = {
  number: 7,
  name: 'quotas',
  needs: 1,
  sql: `
    -- Whose use is counted here. Whoever decides about a subject locks its row, and with it all that follows below: one
    -- lock for each subject, taken in one order. version: a mark of the transaction that last changed its counters or
    -- holds, by which a process knows that what it remembers still holds; before: the mark that this one found.
    create table backline.quota_subjects (
      subject text primary key,
      version bigint not null default 0,
      before bigint not null default 0
    );
    alter table backline.quota_subjects set (fillfactor = 70);

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

    -- The ledger: every operation that was decided, with its first answer (JSON, see answer-text.ts), which is given again
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

    -- Takes the subjects in order, sees that they are as the caller knows them, and writes what was decided, all of it; its
    -- time then is ours, in epoch milliseconds. Or it writes nothing, and ours is null: when a key is taken, the decision
    -- was made by a clock too far from ours, or subjects have changed, which are told as JSON. By the settings each row is
    -- found by its index, whatever the statistics were when this was planned, and in the order of the subjects.
    create function backline.record_quotas(
      now_ms bigint, apart_ms bigint, mark bigint, subjects text[], versions bigint[],
      counter_subjects text[], buckets text[], window_keys text[], uses bigint[], all_entries text[], untils bigint[],
      operation_subjects text[], keys text[], kinds text[], fingerprints text[], outcomes text[], answers text[],
      all_others text[], out ours bigint, out changed text
    ) language plpgsql
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
    as $function$
    declare
      same bigint;
      written bigint;
      decided_at timestamptz := to_timestamp(now_ms / 1000.0);
    begin
      with held as (
        update backline.quota_subjects s set before = s.version, version = mark
        from (select * from unnest(subjects, versions) as u (subject, version) order by subject) g
        where s.subject = g.subject
        returning s.subject, s.before = g.version as same
      )
      select count(*) filter (where held.same), json_agg(held.subject) filter (where not held.same)
      into same, changed from held;
      if same < cardinality(subjects) then
        raise exception 'subjects of quotas have changed' using errcode = 'BQ001';
      end if;
      ours := extract(epoch from clock_timestamp()) * 1000;
      if abs(ours - now_ms) > apart_ms then
        raise exception 'quotas were decided % ms from now', now_ms - ours using errcode = 'BQ001';
      end if;
      update backline.quota_counters c set used = g.used, entries = g.entries, updated_at = decided_at
      from unnest(counter_subjects, buckets, window_keys, uses, all_entries)
        as g (subject, bucket, window_key, used, entries)
      where c.subject = g.subject and c.bucket = g.bucket and c.window_key = g.window_key;
      get diagnostics written = row_count;
      if written < cardinality(counter_subjects) then
        insert into backline.quota_counters (subject, bucket, window_key, used, entries, until_at, updated_at)
        select subject, bucket, window_key, used, entries, to_timestamp(nullif(until, ${Number.MIN_SAFE_INTEGER}) / 1000.0),
          decided_at
        from unnest(counter_subjects, buckets, window_keys, uses, all_entries, untils)
          as g (subject, bucket, window_key, used, entries, until)
        on conflict do nothing;
      end if;
      insert into backline.quota_operations (subject, key, kind, fingerprint, at, denied, answer, others)
      select subject, key, kind, fingerprint, decided_at, outcome = 'denied', answer,
        case when others = '[]' then '{}' else array(select jsonb_array_elements_text(others::jsonb)) end
      from unnest(operation_subjects, keys, kinds, fingerprints, outcomes, answers, all_others)
        as g (subject, key, kind, fingerprint, outcome, answer, others);
    exception
      -- What was written is taken back with it.
      when sqlstate 'BQ001' or unique_violation then ours := null;
    end
    $function$;
  `,
};
