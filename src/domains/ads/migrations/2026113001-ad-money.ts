import type { Migration } from '#kernel/postgres/migrations/migration.ts';

export const adMoney: Migration = {
  number: 2026113001,
  name: 'ad-money',
  needs: 24,
  sql: `
    -- Released units of an evenly paced budget at a moment in a quarter of an hour, as the first process saw it: all processes
    -- spread the rest from there. version: of the limits and times of the ad set. Kept for two days.
    create table backline.ad_pacing (
      bucket text not null,
      version text not null,
      quarter timestamptz not null,
      from_at timestamptz not null,
      released bigint not null,
      primary key (bucket, version, quarter)
    );
    create index ad_pacing_by_quarter on backline.ad_pacing using brin (quarter);

    -- Breaks that could have had ads, by quarter of an hour: the curve that budgets are spread by.
    create table backline.ad_traffic (
      placement text not null,
      market text not null,
      quarter timestamptz not null,
      breaks bigint not null,
      primary key (quarter, placement, market)
    );
  `,
};
