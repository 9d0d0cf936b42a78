import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSql, reportSql } from './report-sql.ts';

test('the SQL of a report', () => {
  assert.equal(
    reportSql({
      by: ['campaign', 'day'],
      zone: 'Europe/Berlin',
      account: "default/o'neill",
      from: Temporal.Instant.from('2026-11-30T23:00:00Z'),
      until: Temporal.Instant.from('2026-12-31T23:00:00Z'),
    }),
    `with deliveries as (
  select campaign as "campaign", cast(event_at at time zone 'Europe/Berlin' as date) as "day", currency, event, pseudonym, micros
  from ad_delivery
where advertiser = 'default/o''neill' and event_at >= timestamptz '2026-11-30T23:00:00Z' and event_at < timestamptz '2026-12-31T23:00:00Z'
), counts as (
  select "campaign", "day", currency,
    count(*) filter (event = 'impression') as impressions,
    count(pseudonym) filter (event = 'impression') as known,
    count(distinct pseudonym) filter (event = 'impression') as listeners,
    count(*) filter (event = 'complete') as completions,
    count(*) filter (event = 'click') as clicks,
    cast(sum(micros) as bigint) as micros
  from deliveries group by all
)
select "campaign", "day", impressions,
  case when listeners >= 50 then listeners end as reach,
  case when listeners >= 50 then round(known / listeners, 2) end as frequency,
  completions, clicks,
  concat(micros // 1000000, '.', lpad(cast(micros % 1000000 as varchar), 6, '0')) as spend,
  case when impressions > 0 then concat((micros * 1000 // impressions) // 1000000, '.', lpad(cast((micros * 1000 // impressions) % 1000000 as varchar), 6, '0')) end as ecpm,
  currency
from counts order by "campaign", "day", currency`,
  );
});

test('the SQL of a report of fill', () => {
  const all = { zone: 'UTC', from: undefined, until: Temporal.Instant.from('2026-12-31T23:00:00Z') };
  assert.equal(
    fillSql({ ...all, by: ['placement', 'day'] }),
    `select placement as "placement", cast(event_at at time zone 'UTC' as date) as "day", cast(coalesce(sum(breaks), 0) as bigint) as breaks,
  cast(coalesce(sum(slots), 0) as bigint) as slots, cast(coalesce(sum(filled), 0) as bigint) as filled,
  round(sum(filled) / nullif(sum(slots), 0), 4) as "fillRate"
from ad_break
where event_at < timestamptz '2026-12-31T23:00:00Z'
group by all order by all`,
  );
});
