import { Type } from 'typebox';
import { zoneClock } from '#kernel/audiences/language/zone.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { AdvertiserReport } from './advertiser-report.ts';
import { GROUP, VERSION } from './identity.ts';
import {
  ACCOUNT_PATTERN,
  budget,
  budgetProblems,
  capProblems,
  categories,
  currency,
  currencyProblems,
  frequencyCaps,
  SERVING_COLUMNS,
  servingStatus,
  title,
} from './parts.ts';

const AdvertiserSpecSchema = Type.Object(
  {
    title,
    currency: { ...currency, description: 'ISO 4217 code of its bids and budgets. It never changes.' },
    zone: Type.String({
      minLength: 1,
      maxLength: 60,
      default: 'UTC',
      description: 'IANA time zone, in which the days of its budgets begin.',
    }),
    budget,
    frequencyCaps,
    categories: categories('Its categories. Two ads that share one do not stand in one break.'),
    suspended: Type.Optional(
      Type.Object(
        { reason: Type.String({ minLength: 1, maxLength: 500, description: 'Why.' }) },
        { description: 'Keeps all its ads off the air, whatever it sets itself.' },
      ),
    ),
  },
  { description: 'An account that buys ads.' },
);

export const Advertiser = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Advertiser',
  plural: 'advertisers',
  categories: ['advertising'],
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'An advertiser is an account that buys ads. All its objects have names that begin with its own.',
  spec: AdvertiserSpecSchema,
  status: servingStatus,
  computedStatus: true,
  subresources: { report: AdvertiserReport },
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
    { name: 'Currency', type: 'string', description: 'Currency of its bids.', value: ({ spec }) => spec.currency },
    {
      name: 'Suspended',
      type: 'string',
      description: 'Why it is suspended.',
      priority: 1,
      value: ({ spec }) => spec.suspended?.reason,
    },
    ...SERVING_COLUMNS,
  ],
  validate: (spec, context) => [
    ...budgetProblems(spec),
    ...capProblems(spec),
    ...zoneProblems(spec.zone),
    ...ledgerProblems(spec.currency, context.before?.currency),
    ...currencyProblems(spec.currency, ['spec', 'currency']),
    ...accountProblems(readLiveName({ names: 'namespace' }, context.name).name),
  ],
  example: {
    name: 'acme',
    spec: { title: 'Acme Shoes', currency: 'EUR', zone: 'Europe/Berlin', categories: ['IAB18-3'] },
  },
});

/** The ledger of an account counts in one currency. */
function ledgerProblems(code: string, before: string | undefined): readonly Problem[] {
  if (before === undefined || before === code) return [];
  const detail = `the currency of an account stays ${before}: its budgets and its spend are counted in it; declare another Advertiser`;
  return [{ path: ['spec', 'currency'], reason: 'FieldValueForbidden', detail }];
}

function zoneProblems(zone: string): readonly Problem[] {
  if (zoneClock(zone) !== undefined) return [];
  const detail = `"${zone}" is not a time zone of the IANA database, like Europe/Berlin`;
  return [{ path: ['spec', 'zone'], reason: 'FieldValueInvalid', detail }];
}

function accountProblems(name: string): readonly Problem[] {
  if (new RegExp(ACCOUNT_PATTERN).test(name)) return [];
  const detail =
    'the name of an Advertiser has no dot and at most 63 characters: names of its objects begin with it and a dot';
  return [{ path: ['metadata', 'name'], reason: 'FieldValueInvalid', detail }];
}
