import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { EXCHANGE_RATE, GROUP, VERSION } from './identity.ts';
import { currency, currencyProblems } from './parts.ts';

const RATES_MAX = 1_000;

const ExchangeRateSpecSchema = Type.Object(
  {
    base: { ...currency, description: 'ISO 4217 code of the currency that is converted: that of bids.' },
    quote: { ...currency, description: 'ISO 4217 code of the currency that it is converted into: that of placements.' },
    rates: Type.Array(
      Type.Object(
        {
          from: Type.String({
            format: 'date',
            description: 'The day on which it begins to hold, at midnight UTC; until the next one begins.',
          }),
          rate: Type.String({
            pattern: '^\\d{1,9}(\\.\\d{1,12})?$',
            description: 'What one unit of base is in quote. A decimal number, like "0.92".',
          }),
        },
        { description: 'A rate and its first day.' },
      ),
      { minItems: 1, maxItems: RATES_MAX, description: 'In the order of their days.' },
    ),
  },
  { description: 'What one currency is in another, day by day.' },
);

type ExchangeRateSpec = Static<typeof ExchangeRateSpecSchema>;

export const ExchangeRate = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ExchangeRate',
  plural: 'exchangerates',
  categories: ['advertising'],
  scope: 'Namespaced',
  released: true,
  description:
    'An exchange rate makes bids of one currency comparable with those of another, at the placements of its namespace. Budgets and charges stay in the currency of the account.',
  spec: ExchangeRateSpecSchema,
  columns: [
    { name: 'Base', type: 'string', description: 'The currency that is converted.', value: ({ spec }) => spec.base },
    { name: 'Quote', type: 'string', description: 'The currency of the result.', value: ({ spec }) => spec.quote },
    {
      name: 'Rate',
      type: 'string',
      description: 'The rate that holds now.',
      value: ({ spec }, now) => spec.rates.findLast(({ from }) => dayMs(from) <= now.epochMilliseconds)?.rate,
    },
  ],
  indexes: { pair: (spec) => [pairOf(spec)] },
  validate: (spec, { name, namespace = '', find }) => [
    ...currencyProblems(spec.base, ['spec', 'base']),
    ...currencyProblems(spec.quote, ['spec', 'quote']),
    ...pairProblems(
      spec,
      name,
      find(EXCHANGE_RATE, 'pair', pairOf(spec)).flatMap(({ metadata }) =>
        metadata.namespace === namespace ? [metadata.name] : [],
      ),
    ),
    ...rateProblems(spec),
  ],
  check: (spec, world, name) => {
    const namespace = world.get(EXCHANGE_RATE, name)?.namespace;
    const rivals = world.find(EXCHANGE_RATE, 'pair', pairOf(spec));
    return pairProblems(
      spec,
      name,
      rivals.flatMap((object) => (object.namespace === namespace ? [object.name] : [])),
    );
  },
  describe: (name, { before, after }) => {
    if (after === undefined) return [`ExchangeRate ${name} is removed: bids of ${before?.base ?? ''} lose it.`];
    const known = new Set(before?.rates.map(rateInWords));
    return after.rates
      .filter((rate) => !known.has(rateInWords(rate)))
      .map((rate) => `1 ${after.base} is ${rate.rate} ${after.quote} from ${rate.from} on.`);
  },
  example: {
    name: 'usd-eur',
    spec: { base: 'USD', quote: 'EUR', rates: [{ from: '2026-11-01', rate: '0.92' }] },
  },
});

/** The first moment of a day in UTC. */
export function dayMs(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

function pairOf({ base, quote }: ExchangeRateSpec): string {
  return `${base}/${quote}`;
}

function rateInWords({ from, rate }: ExchangeRateSpec['rates'][number]): string {
  return `${from} ${rate}`;
}

/** @param names those in its namespace that have its pair; others may be in other namespaces */
function pairProblems(spec: ExchangeRateSpec, name: string, names: readonly string[]): readonly Problem[] {
  const path = ['spec', 'quote'];
  if (spec.base === spec.quote) {
    return [{ path, reason: 'FieldValueInvalid', detail: `${spec.quote} needs no rate into itself` }];
  }
  const other = names.find((found) => found !== name);
  if (other === undefined) return [];
  const detail = `ExchangeRate "${other}" has ${pairOf(spec)} already; add the rate there`;
  const instead = `an ExchangeRate that you may not read has ${pairOf(spec)} already`;
  return [{ path, reason: 'FieldValueDuplicate', detail, about: { kind: EXCHANGE_RATE, name: other, instead } }];
}

function rateProblems({ rates }: ExchangeRateSpec): readonly Problem[] {
  return rates.flatMap(({ from, rate }, index) => {
    const path = ['spec', 'rates', index];
    const previous = rates[index - 1];
    return [
      ...(/[1-9]/.test(rate)
        ? []
        : [{ path: [...path, 'rate'], reason: 'FieldValueInvalid' as const, detail: `${rate} is not above 0` }]),
      ...(previous === undefined || previous.from < from
        ? []
        : [
            {
              path: [...path, 'from'],
              reason: 'FieldValueInvalid' as const,
              detail: `${from} is not after ${previous.from}, the day of the rate before it`,
            },
          ]),
    ];
  });
}
