import type { Migration } from './migration.ts';

export const unfiledEvents: Migration = {
  number: 20,
  name: 'unfiled events 2026-11-29',
  needs: 19,
  sql: `
    -- Accepted events that no file can hold, as they stand in the log, with the reason. A roll-up sets them aside and goes
    -- on. The next process that rolls tries them once more: it may be of a version that can file them.
    create table backline.event_unfiled (
      type text not null,
      id text not null,
      client text not null,
      pseudonym uuid,
      event_at timestamptz not null,
      sent_at timestamptz,
      received_at timestamptz not null,
      corrected_at timestamptz not null,
      revision text not null,
      payload text not null,
      reason text not null,
      set_aside_at timestamptz not null
    );
  `,
};
