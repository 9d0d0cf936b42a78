import type { Migration } from './migration.ts';

export const releaseCounts: Migration = {
  number: 9,
  name: 'release-counts',
  needs: 1,
  sql: `
    -- What the decision plane answered those of whom a release makes something, in buckets of ten seconds. A node is one
    -- process in its lifetime, and the only one that writes its rows: each write says what there is by then.
    create table backline.release_counts (
      release text not null,
      track text not null check (track in ('candidate', 'stable', 'exposed')),
      bucket_at timestamptz not null,
      node text not null,
      answers bigint not null,
      denied bigint not null,
      failed bigint not null,
      primary key (release, bucket_at, track, node)
    );
    create index release_counts_by_age on backline.release_counts (bucket_at);
  `,
};
