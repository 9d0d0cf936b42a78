import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const subjectNames: Migration = {
  number: 13,
  name: 'subject names 2026-11-29',
  needs: 13,
  sql: `
    -- Parts of the names of quotas' subjects are escaped from now on: / is %2F and % is %25 (kernel/quotas/subject-name.ts).
    -- Until now a name with a slash in an id could be read in two ways. Where a listener on record decides it, that reading
    -- holds; else what follows the last slash is the part of its own. Where use is spread over several databases, each
    -- renames what it has, and where a name falls is found from the new name.
    create function pg_temp.escaped(part text) returns text language sql
      as $f$ select replace(replace(part, '%', '%25'), '/', '%2F') $f$;

    create function pg_temp.is_known(listener text) returns boolean language sql
      as $f$
        select exists (select from backline.subjects s where s.listener = $1)
          or exists (select from backline.pseudonyms p where p.subject = $1)
      $f$;

    create function pg_temp.renamed(name text) returns text language plpgsql
    as $f$
    declare
      scope text := split_part(name, '/', 1);
      rest text := substr(name, length(split_part(name, '/', 1)) + 2);
      owner text;
      parts text[] := string_to_array(rest, '/');
    begin
      if cardinality(parts) = 1 or (scope <> 'device' and pg_temp.is_known(rest)) then
        return scope || '/' || pg_temp.escaped(rest);
      end if;
      owner := array_to_string(parts[1:cardinality(parts) - 1], '/');
      for count in reverse cardinality(parts) - 1 .. 1 loop
        if pg_temp.is_known(array_to_string(parts[1:count], '/')) then
          owner := array_to_string(parts[1:count], '/');
          exit;
        end if;
      end loop;
      return scope || '/' || pg_temp.escaped(owner) || '/' || pg_temp.escaped(substr(rest, length(owner) + 2));
    end
    $f$;

    create temporary table renames on commit drop as
      select subject as before, pg_temp.renamed(subject) as after from backline.quota_subjects
      where subject like '%\\%%' or subject like '%/%/%';
    delete from renames where before = after;

    -- What one is called from now on another one may have been called until now: each takes its new name behind a mark that
    -- no name has, and all lose the mark together. Receipts name subjects in JSON.
    do $do$
    declare
      mark constant text := e'\\x01renamed:';
      in_json constant text := to_json(mark)::text;
      rename record;
      place text;
    begin
      foreach place in array array['subjects', 'counters', 'slots', 'operations', 'holds'] loop
        execute format('update backline.quota_%s set subject = $1 || after from renames where subject = before', place)
          using mark;
        execute format('update backline.quota_%s set subject = substr(subject, length($1) + 1)
          where starts_with(subject, $1)', place) using mark;
      end loop;
      for rename in select * from renames loop
        update backline.quota_operations set
          others = array_replace(others, rename.before, mark || rename.after),
          answer = replace(answer, to_json(rename.before)::text, to_json(mark || rename.after)::text)
        where others is not null and others @> array[rename.before];
        update backline.quota_holds set
          lines = replace(lines, to_json(rename.before)::text, to_json(mark || rename.after)::text)
        where strpos(lines, to_json(rename.before)::text) > 0;
      end loop;
      update backline.quota_operations set
        others = array(select replace(other, mark, '') from unnest(others) with ordinality as o (other, n) order by n),
        answer = replace(answer, rtrim(in_json, '"'), '"')
      where others is not null and strpos(answer, rtrim(in_json, '"')) > 0;
      update backline.quota_holds set lines = replace(lines, rtrim(in_json, '"'), '"')
      where strpos(lines, rtrim(in_json, '"')) > 0;
    end
    $do$;

    drop function pg_temp.renamed(text), pg_temp.is_known(text), pg_temp.escaped(text);
  `,
};
