import type { Migration } from './migration.ts';

export const severalProcesses: Migration = {
  number: 3,
  name: 'several processes',
  needs: 1,
  sql: `
    -- Names a write that another process forwarded to the writer; empty for the writer's own. When the answer got lost,
    -- what became of the write is found by it.
    alter table backline.changes add column write_id text not null default '';
    create index changes_of_write on backline.changes (write_id) where write_id <> '';

    -- Times grow with the versions: this index finds a moment and costs next to nothing.
    create index changes_by_time on backline.changes using brin (at);
  `,
};
