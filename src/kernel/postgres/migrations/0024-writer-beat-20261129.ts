import type { Migration } from './migration.ts';

export const writerBeat: Migration = {
  number: 24,
  name: 'writer beat 2026-11-29',
  needs: 1,
  sql: `
    -- Grows each second while the writer reaches the database: others judge by it whether there is a writer.
    alter table backline.writer add column beat bigint not null default 0;
    -- How much longer than usual the statement under way may take, in which nothing is seen of the writer.
    alter table backline.writer add column patience_ms integer not null default 0;
  `,
};
