import { literal } from '#kernel/events/datasets/sql-text.ts';

/** Listeners of a row below which reach and frequency are hidden: they would tell of single people. */
export const REACH_MIN = 50;

/** The SQL of everything that splits a report. A day is that of the zone; an hour is an instant, as days have 23 to 25 of them. */
const DIMENSIONS = {
  hour: () => `date_trunc('hour', event_at)`,
  day: (zone: string) => `cast(event_at at time zone ${literal(zone)} as date)`,
  account: () => 'advertiser',
  campaign: () => 'campaign',
  adSet: () => '"adSet"',
  ad: () => 'ad',
  placement: () => 'placement',
  market: () => 'market',
} as const;

export type Dimension = keyof typeof DIMENSIONS;

export const DIMENSION_NAMES = Object.keys(DIMENSIONS) as readonly Dimension[];

export interface ReportQuestion {
  readonly by: readonly Dimension[];
  /** IANA zone of the days. */
  readonly zone: string;
  /** Live name of one Advertiser; undefined: all. */
  readonly account: string | undefined;
  readonly from: Temporal.Instant | undefined;
  readonly until: Temporal.Instant | undefined;
}

/** The SELECT of a report of delivery. Money stays in whole micro-units until it is written; eCPM is rounded down to one. */
export function reportSql({ by, zone, account, from, until }: ReportQuestion): string {
  const dimensions = dimensionsSql(by, zone);
  const names = by.map((name) => `"${name}"`);
  const groups = [...names, 'currency'].join(', ');
  return `with deliveries as (
  select ${[...dimensions, 'currency', 'event', 'pseudonym', 'micros'].join(', ')}
  from ad_delivery${whereSql({ account, from, until })}
), counts as (
  select ${groups},
    count(*) filter (event = 'impression') as impressions,
    count(pseudonym) filter (event = 'impression') as known,
    count(distinct pseudonym) filter (event = 'impression') as listeners,
    count(*) filter (event = 'complete') as completions,
    count(*) filter (event = 'click') as clicks,
    cast(sum(micros) as bigint) as micros
  from deliveries group by all
)
select ${[...names, 'impressions'].join(', ')},
  case when listeners >= ${REACH_MIN} then listeners end as reach,
  case when listeners >= ${REACH_MIN} then round(known / listeners, 2) end as frequency,
  completions, clicks,
  ${decimalSql('micros')} as spend,
  case when impressions > 0 then ${decimalSql('(micros * 1000 // impressions)')} end as ecpm,
  currency
from counts order by ${groups}`;
}

/** Names of columns that split a report of fill. */
export const FILL_NAMES: readonly Dimension[] = ['hour', 'day', 'placement', 'market'];

/** The SELECT of a report of fill: breaks for listeners who may hear ads, and how many of the ads that they asked for were answered. */
export function fillSql({ by, zone, from, until }: Omit<ReportQuestion, 'account'>): string {
  const dimensions = dimensionsSql(by, zone);
  return `select ${[...dimensions, 'cast(coalesce(sum(breaks), 0) as bigint) as breaks'].join(', ')},
  cast(coalesce(sum(slots), 0) as bigint) as slots, cast(coalesce(sum(filled), 0) as bigint) as filled,
  round(sum(filled) / nullif(sum(slots), 0), 4) as "fillRate"
from ad_break${whereSql({ from, until })}
group by all order by all`;
}

function dimensionsSql(by: readonly Dimension[], zone: string): readonly string[] {
  return by.map((name) => `${DIMENSIONS[name](zone)} as "${name}"`);
}

function whereSql({ account, from, until }: Partial<Pick<ReportQuestion, 'account' | 'from' | 'until'>>): string {
  const conditions = [
    ...(account === undefined ? [] : [`advertiser = ${literal(account)}`]),
    ...(from === undefined ? [] : [`event_at >= timestamptz ${literal(from.toString())}`]),
    ...(until === undefined ? [] : [`event_at < timestamptz ${literal(until.toString())}`]),
  ];
  return conditions.length === 0 ? '' : `\nwhere ${conditions.join(' and ')}`;
}

/** Whole micro-units as a decimal text: in JSON a number would not be exact. */
function decimalSql(micros: string): string {
  return `concat(${micros} // 1000000, '.', lpad(cast(${micros} % 1000000 as varchar), 6, '0'))`;
}
