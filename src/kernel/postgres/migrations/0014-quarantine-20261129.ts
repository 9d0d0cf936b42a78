import type { Migration } from './migration.ts';

export const quarantine: Migration = {
  number: 14,
  name: 'quarantine 2026-11-29',
  needs: 14,
  sql: `
    -- Whom the sender of a quarantined event speaks for. tokens: keyed digests of every text in the event, by which an
    -- erasure finds it (kernel/events/kept-event.ts). sealed_event: null of an event that is too large to be kept.
    -- subject: of rows from before there were tokens.
    alter table backline.event_quarantine
      add column bound_to text,
      add column tokens bigint[] not null default '{}',
      alter column sealed_event drop not null;
    create index event_quarantine_by_token on backline.event_quarantine using gin (tokens);
    -- Nobody who is erased could be found in these.
    delete from backline.event_quarantine where subject is null;

    -- What each sender had set aside in a day.
    create table backline.event_quarantine_room (
      day date not null,
      client text not null,
      events bigint not null,
      bytes bigint not null,
      primary key (day, client)
    );
  `,
};
