import { Type, type Static } from 'typebox';
import { CURRENCIES } from '#kernel/base/currencies.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { CAP_LIMITS, CAP_SCOPES, windowMsOf } from '../rules/frequency.ts';
import { microsOf } from '../rules/micros.ts';

export const nameOf = (kind: string) =>
  Type.String({ minLength: 1, maxLength: 253, description: `Name of the ${kind}.` });

export const title = Type.Optional(
  Type.String({ minLength: 1, maxLength: 200, description: 'The name that people see.' }),
);

/** The names that an account may have: others could own nothing. */
export const ACCOUNT_PATTERN = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$';

export const account = Type.String({
  pattern: ACCOUNT_PATTERN,
  description: 'Name of the Advertiser. The name of the object begins with it and a dot.',
});

export const httpsUrl = Type.String({
  pattern: '^https://[A-Za-z0-9.-]+(:\\d{1,5})?([/?#]\\S*)?$',
  maxLength: 2_000,
  description: 'An https address.',
});

/** Of a page, percent-encoded too: it stands in every link of its ad. */
const PAGE_CHARS_MAX = 2_000;

/** The address of a page, as people write it. */
export const pageUrl = (description: string) =>
  Type.String({
    pattern: '^https://\\S+$',
    maxLength: PAGE_CHARS_MAX,
    description: `${description} An https address. Letters beyond ASCII, as in https://example.com/müsik, are percent-encoded where it is answered, and those of a host are in Punycode; so it has ${PAGE_CHARS_MAX} characters at most.`,
  });

export function pageProblems(page: string | undefined, path: Path): readonly Problem[] {
  if (page === undefined) return [];
  const url = URL.parse(page);
  const detail = problemOf();
  return detail === undefined ? [] : [{ path, reason: 'FieldValueInvalid', detail }];

  function problemOf(): string | undefined {
    if (url === null) return `"${page}" is no URL; write it like https://example.com/spring`;
    if (url.username !== '' || url.password !== '') return 'a page names no user; leave out what is before the @';
    const { length } = url.href;
    if (length <= PAGE_CHARS_MAX) return undefined;
    return `has ${length} characters once it is percent-encoded; the limit is ${PAGE_CHARS_MAX}`;
  }
}

export const paused = Type.Optional(Type.Boolean({ description: 'True: nothing of it is served.' }));

/** The status of what an advertiser declares; computed when it is read. */
export const servingStatus = Type.Object(
  {
    serving: Type.Optional(
      Type.Boolean({
        description:
          'Whether a listener could get an ad of it now. Absent where it has more ad sets than were looked at, and none of those is serving.',
      }),
    ),
    reasons: Type.Array(
      Type.Object(
        {
          reason: Type.String({ description: 'A code for programs, as /v1/ads/explain has it.' }),
          message: Type.String({ description: 'What it is, for people.' }),
          remedy: Type.String({ description: 'What would end it.' }),
        },
        { description: 'One reason.' },
      ),
      {
        description:
          'All reasons for which nobody gets an ad of it. `too few listeners` alone leaves it serving: few get one.',
      },
    ),
  },
  { description: 'Whether it is serving, and why not; as of the moment when it is read.' },
);

export type ServingStatus = Static<typeof servingStatus>;

interface ServingColumn {
  readonly name: string;
  readonly type: 'boolean' | 'string';
  readonly description: string;
  readonly value: (object: { readonly status?: ServingStatus }) => boolean | string | undefined;
}

/** Columns of `kubectl get` for the status. */
export const SERVING_COLUMNS: readonly ServingColumn[] = [
  {
    name: 'Serving',
    type: 'boolean',
    description: 'Whether a listener could get an ad of it now.',
    value: ({ status }) => status?.serving,
  },
  {
    name: 'Reasons',
    type: 'string',
    description: 'Why nobody gets one.',
    value: ({ status }) => status?.reasons.map(({ reason }) => reason).join(', ') || undefined,
  },
];

export const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' });

export const amount = (description: string) =>
  Type.String({ pattern: '^\\d{1,9}(\\.\\d{1,6})?$', description: `${description} A decimal number, like "12.50".` });

export const CATEGORIES_MAX = 20;
export const categories = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Za-z0-9][\\w.-]{0,49}$', description: 'A category, like IAB8-5.' }), {
      maxItems: CATEGORIES_MAX,
      uniqueItems: true,
      description,
    }),
  );

/** Limits of spend: for a day in the zone of the account, and for the lifetime. */
export const budget = Type.Optional(
  Type.Object(
    {
      daily: Type.Optional(amount("The most that is spent in a day of the account's zone.")),
      lifetime: Type.Optional(amount('The most that is ever spent.')),
    },
    { description: 'The most that is spent, in the currency of the account. Without one, as much as is won.' },
  ),
);

export type Budget = Static<typeof budget>;

export function budgetProblems(
  spec: { readonly budget?: Budget },
  path: Path = ['spec', 'budget'],
): readonly Problem[] {
  if (spec.budget === undefined) return [];
  const { daily, lifetime } = spec.budget;
  if (daily === undefined && lifetime === undefined)
    return [{ path, reason: 'FieldValueInvalid', detail: 'a budget has daily, lifetime, or both' }];
  return Object.entries({ daily, lifetime }).flatMap(([name, value]) =>
    value === undefined ? [] : positiveProblems(value, [...path, name]),
  );
}

/** The most exposures of its ads to one listener, household, device or session. */
export const frequencyCaps = Type.Optional(
  Type.Array(
    Type.Object(
      {
        count: Type.Integer({
          minimum: 1,
          maximum: CAP_LIMITS.countMax,
          description: 'The most exposures in any such time.',
        }),
        per: Type.String({
          minLength: 3,
          maxLength: 8,
          description:
            'How long an exposure counts: minutes, hours or days of 24 hours, at most 30 days, like PT1H, P1D or P7D. It rolls: it is counted back from now, not from midnight.',
        }),
        scope: Type.Enum(CAP_SCOPES, {
          default: 'listener',
          description:
            'Who is counted. Where the question does not name one, the next narrower of household, listener, device and session is; with none of them nothing is served.',
        }),
      },
      { description: 'One cap.' },
    ),
    {
      minItems: 1,
      maxItems: CAP_LIMITS.capsMax,
      uniqueItems: true,
      description: 'The most exposures of its ads: all caps apply, with those of the campaign and the account.',
    },
  ),
);

export type FrequencyCaps = Static<typeof frequencyCaps>;

export function capProblems({
  frequencyCaps: caps = [],
}: {
  readonly frequencyCaps?: FrequencyCaps;
}): readonly Problem[] {
  return caps.flatMap(({ per }, index) => {
    if (windowMsOf(per) !== undefined) return [];
    const detail = `"${per}" is not a number of minutes, hours or days up to ${CAP_LIMITS.windowDaysMax} days, like PT30M, PT1H or P7D`;
    return [{ path: ['spec', 'frequencyCaps', index, 'per'], reason: 'FieldValueInvalid' as const, detail }];
  });
}

const IN_NAMESPACE = { names: 'namespace' } as const;

/**
 * The name of an object of an advertiser begins with the advertiser's: two accounts never want one name, and nobody learns by a
 * refusal which names others have.
 */
export function nameProblems({ account: owner }: { readonly account: string }, live: string): readonly Problem[] {
  const { name } = readLiveName(IN_NAMESPACE, live);
  if (name.startsWith(`${owner}.`) && name.length > owner.length + 1) return [];
  const detail = `the name of an object of account ${owner} begins with "${owner}.", like ${owner}.${name}`;
  return [{ path: ['metadata', 'name'], reason: 'FieldValueInvalid', detail }];
}

/** A reference to an object of another account. */
export function ownProblems(owner: string, path: Path, name: string): readonly Problem[] {
  if (name.startsWith(`${owner}.`)) return [];
  const detail = `"${name}" is no object of account ${owner}: its name would begin with "${owner}."`;
  return [{ path, reason: 'FieldValueInvalid', detail }];
}

export function currencyProblems(code: string, path: Path): readonly Problem[] {
  if (CURRENCIES.has(code)) return [];
  const detail = `"${code}" is not a currency of ISO 4217${didYouMean(nearSpellings(code, CURRENCIES.keys()))}`;
  return [{ path, reason: 'FieldValueInvalid', detail }];
}

export function positiveProblems(value: string, path: Path): readonly Problem[] {
  if (microsOf(value) > 0) return [];
  return [{ path, reason: 'FieldValueInvalid', detail: `${value} is not above 0` }];
}
