import type { Migration } from './migration.ts';

export const releaseClustering: Migration = {
  number: 18,
  name: 'release clustering 2026-11-29',
  needs: 18,
  sql: `
    -- How the events of units hang together up to the newest window of a guardrail: what the next window is added to.
    -- Written with its window and only then. Doubles of 64 bits, see kept-cells.ts.
    create table backline.release_clustering (
      uid text not null,
      guardrail text not null,
      scope integer not null,
      release_cells bytea not null,
      scope_cells bytea,
      seen_stage integer,
      seen_cells bytea,
      primary key (uid, guardrail)
    );

    -- The first of the stages with the same audience and markets. Windows of before do not have it.
    alter table backline.release_intervals add column scope integer;
  `,
};
