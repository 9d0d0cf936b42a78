import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const assignments: Migration = {
  number: 6,
  name: 'assignments',
  needs: 1,
  sql: `
    -- Variants that a unit keeps (record: experiment and iteration), whatever becomes of the split or the targeting. Renewed when it is read.
    create table backline.assignments (
      unit text not null,
      record text not null,
      variant text not null,
      assigned_at timestamptz not null,
      expires_at timestamptz not null,
      primary key (unit, record)
    );
    create index assignments_by_expiry on backline.assignments (expires_at);
  `,
};
