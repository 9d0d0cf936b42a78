import { Type } from 'typebox';
import { QUERY_LIMITS, QueryStatus } from '#kernel/events/datasets/query-kind.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { DIMENSION_NAMES } from '../rules/report-sql.ts';
import { GROUP, VERSION } from './identity.ts';

const instant = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

const AdvertiserReportSpec = Type.Object(
  {
    by: Type.Array(Type.Enum(DIMENSION_NAMES, { description: 'What a row is of.' }), {
      uniqueItems: true,
      maxItems: DIMENSION_NAMES.length,
      default: [],
      description: 'What the figures are split by, in the order of the columns. Always by currency.',
    }),
    from: instant('Events from then on.'),
    until: instant('Events before.'),
    format: Type.Enum(['rows', 'csv', 'parquet'], { default: 'rows', description: 'The form of the result.' }),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: QUERY_LIMITS.rowsMax, description: 'Rows at most, as of a Query.' }),
    ),
  },
  { description: 'What to report.' },
);

/** Posted below an Advertiser: reads that account alone. Not stored. */
export const AdvertiserReport = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'AdvertiserReport',
  plural: 'advertiserreports',
  scope: 'Namespaced',
  description:
    'What was delivered and charged of an account, from the event log: impressions, reach, frequency, completions, clicks, spend and eCPM. Days are those of the account.',
  spec: AdvertiserReportSpec,
  status: QueryStatus,
  verbs: ['create'],
});
