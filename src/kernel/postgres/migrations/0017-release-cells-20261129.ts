import type { Migration } from './migration.ts';

export const releaseCells: Migration = {
  number: 17,
  name: 'release cells 2026-11-29',
  needs: 16,
  sql: `
    -- What one process has answered in one stage of a release on one track, by cell of units. It alone writes its row:
    -- each write says what there is by then. \`counts\` are unsigned integers of 32 bits, see release-cells.ts.
    create table backline.release_cells (
      release text not null,
      stage integer not null,
      counter text not null,
      track text not null check (track in ('candidate', 'stable')),
      counts bytea not null,
      at timestamptz not null,
      primary key (release, stage, counter)
    );
    create index release_cells_by_age on backline.release_cells (at);
  `,
};
