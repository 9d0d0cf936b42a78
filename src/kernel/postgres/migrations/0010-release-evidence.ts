import type { Migration } from './migration.ts';

export const releaseEvidence: Migration = {
  number: 10,
  name: 'release-evidence',
  needs: 1,
  sql: `
    -- What the guardrails of releases were judged by: each window that was measured, or why it could not be. Never changed
    -- once it is there, so that whoever judges again judges the same.
    create table backline.release_intervals (
      uid text not null,
      guardrail text not null,
      from_ms bigint not null,
      to_ms bigint not null check (to_ms > from_ms),
      stage integer not null,
      share double precision not null,
      reading jsonb not null,
      judge_version integer not null,
      at timestamptz not null,
      primary key (uid, guardrail, from_ms)
    );
    create index release_intervals_by_age on backline.release_intervals (at);
  `,
};
