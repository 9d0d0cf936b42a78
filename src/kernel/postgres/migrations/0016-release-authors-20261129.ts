import type { Migration } from './migration.ts';

export const releaseAuthors: Migration = {
  number: 16,
  name: 'release authors 2026-11-29',
  needs: 16,
  sql: `
    -- A Release has several authors now, and names the write that made it by its version instead of by the request. The
    -- rest of the text stays as it is, byte for byte.
    create function pg_temp.with_member(object json, key text, new_key text, new_value text) returns json language sql
      as $f$
        select ('{' || string_agg(
          case when m.key = $2 then to_json($3)::text || ':' || $4 else to_json(m.key)::text || ':' || m.value::text end,
          ',' order by m.position) || '}')::json
        from json_each($1) with ordinality as m (key, value, position)
      $f$;

    create function pg_temp.with_authors(spec json) returns json language sql
      as $f$
        select pg_temp.with_member(
          case when $1 ->> 'rollbackOf' is not null then $1
            else pg_temp.with_member($1, 'changeSet', 'changeSet', to_json($1 ->> 'number')::text) end,
          'author', 'authors', json_build_array($1 -> 'author')::text)
      $f$;

    -- An approval was for a plan with another hash, and without the groups of who gave it: it is asked for anew. The
    -- history of the release still says who gave it.
    create function pg_temp.without_approvals(status json) returns json language sql
      as $f$
        select pg_temp.with_member($1, 'standing', 'standing',
          pg_temp.with_member($1 -> 'standing', 'approvals', 'approvals', '[]')::text)
      $f$;

    -- Who took back what somebody had: what is declared on top of it waits for a decision.
    create function pg_temp.with_taker(spec json, status json) returns json language sql
      as $f$
        select case
          when $2 #>> '{standing,state,at}' in ('aborted', 'rolledBack') and exists (
            select from json_array_elements($2 -> 'history') as moment where moment ->> 'phase' = 'Progressing'
          ) then (left($1::text, -1) || ',"takenBack":{"how":' || ($2 #> '{standing,state,at}')::text
            || ',"by":' || ($2 #> '{standing,state,by}')::text
            || ',"because":' || ($2 #> '{standing,state,because}')::text || '}}')::json
          else $1 end
      $f$;

    update backline.changes set body = pg_temp.with_member(
      pg_temp.with_member(body::json, 'spec', 'spec', pg_temp.with_taker(pg_temp.with_authors(body::json -> 'spec'), body::json -> 'status')::text),
      'status', 'status', pg_temp.without_approvals(body::json -> 'status')::text)::text
    where kind = 'releases.backline.dev/Release' and body::json #> '{spec,author}' is not null;

    drop function pg_temp.with_member(json, text, text, text), pg_temp.with_authors(json), pg_temp.without_approvals(json),
      pg_temp.with_taker(json, json);
  `,
};
