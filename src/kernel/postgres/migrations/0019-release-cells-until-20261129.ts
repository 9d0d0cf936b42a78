import type { Migration } from './migration.ts';

export const releaseCellsUntil: Migration = {
  number: 19,
  name: 'release cells until 2026-11-29',
  needs: 18,
  sql: `
    -- Up to when what happened is in the state: of a window that begins before, nothing is added. Null in rows of old.
    alter table backline.release_clustering add column until_ms bigint;
  `,
};
