import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adDeliveries: Migration = {
  number: 2026113030,
  name: 'ad-deliveries',
  needs: 24,
  sql: `
    -- Each event of a served ad once. state: 'held' (the event that must come before it, waits_for, has not been counted),
    -- 'none' (nothing to charge), 'charged' (to the slice, which had it reserved), 'late' (the reservation had ended; whether
    -- there is room is being looked up), 'free' (there was none). micros: the price, 0 for an event that is not paid for.
    -- token: all that was sealed in the token, limits: the budgets of the ad set; both until the event is in the event log.
    -- slice: what was charged to it is its evidence; none for what was charged late.
    create table backline.ad_deliveries (
      decision uuid not null,
      place smallint not null,
      event text not null,
      at timestamptz not null,
      state text not null,
      waits_for text,
      micros bigint not null,
      slice text,
      reserved_until timestamptz not null,
      code smallint,
      is_logged boolean not null default false,
      token jsonb,
      limits jsonb,
      primary key (decision, place, event)
    );
    create index ad_deliveries_by_time on backline.ad_deliveries using brin (at);
    create index ad_deliveries_not_logged on backline.ad_deliveries (at) where not is_logged;
    create index ad_deliveries_unsettled on backline.ad_deliveries (state, at) where state in ('held', 'late');
    create index ad_deliveries_charged on backline.ad_deliveries (slice) where state = 'charged';
  `,
};
