import { Type, type TSchema } from 'typebox';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { Head, candidateOf, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import { cohortInWords } from '#kernel/snapshots/describe-cohort.ts';
import { parseCohort, SHARE_TOTAL, type Cohort, type CohortSlice } from '#kernel/snapshots/cohort.ts';
import { sameSide } from '../engine/same-side.ts';
import type { ReleaseItem } from '../kinds/release-spec.ts';
import { defineTarget, type PartProblem, type PartRef, type StagePart, type Target } from '../kinds/target.ts';

const VALUES_MAX = 100;
const NAME_CHARS_MAX = 253;
const PLACE = 'decision plane';

/** A further condition of a stage: a field of its part, the fact that it tests, and the kind that it names. */
interface FactField {
  readonly field: string;
  readonly fact: string;
  readonly kind: string;
  readonly description: string;
}

/** Its part of a stage. Fields of facts are lists of names. */
interface CohortWhere {
  readonly unit: string;
  readonly audience?: string;
  readonly percent: number;
  readonly [fact: string]: unknown;
}

/**
 * The decision plane as a target: it answers from Heads, so their content is live at once. A stage is a share of units, of an
 * audience, with certain values of facts; each further stage adds to the earlier ones.
 */
export function decisionPlane(options: {
  readonly name: string;
  /** Units that fall into buckets, by name; the first is the default. */
  readonly units: readonly [string, ...string[]];
  readonly unitsDescription: string;
  readonly facts: readonly FactField[];
}): Target {
  const { name, units, facts } = options;
  const [unit] = units;
  const valuesOf = (where: CohortWhere, field: string): readonly string[] | undefined =>
    where[field] as readonly string[] | undefined;
  const factsOf = (where: CohortWhere): [fact: string, values: readonly string[]][] =>
    facts.flatMap(({ field, fact }): [string, readonly string[]][] => {
      const values = valuesOf(where, field);
      return values === undefined ? [] : [[fact, values]];
    });
  const sliceOf = (where: CohortWhere): CohortSlice => {
    const needed = factsOf(where).map(([fact, values]): [string, string[]] => [fact, [...values]]);
    return {
      ...(where.audience === undefined ? {} : { audience: where.audience }),
      ...(needed.length === 0 ? {} : { facts: Object.fromEntries(needed) }),
      share: Math.round((where.percent / 100) * SHARE_TOTAL),
    };
  };
  return defineTarget<CohortWhere>({
    name,
    where: whereSchema(options),
    whole: { unit, percent: 100 },
    example: { unit, percent: 10 },
    isWhole: (where) => where.percent === 100 && where.audience === undefined && factsOf(where).length === 0,
    check: (parts) => [...unitProblems(parts), ...reachProblems(parts, factsOf)],
    refs: (where) => [
      ...(where.audience === undefined
        ? []
        : [{ path: ['audience'], kind: Audience.id, name: where.audience, decides: true }]),
      ...facts.flatMap(({ field, kind }) =>
        (valuesOf(where, field) ?? []).map((value, at): PartRef => ({
          path: [field, at],
          kind,
          name: value,
          decides: false,
        })),
      ),
    ],
    split: (where) => ({
      unit: where.unit,
      share: where.percent / 100,
      scope: JSON.stringify([
        where.audience ?? '',
        factsOf(where).map(([fact, values]) => [fact, values.toSorted()] as const),
      ]),
    }),
    unitsIn: (where, known) => {
      const [field] = facts;
      const values = (field === undefined ? undefined : valuesOf(where, field.field)) ?? [...known.keys()];
      return values.reduce((sum, value) => sum + (known.get(value) ?? 0), 0);
    },
    open: ({ store, kinds, clock }) => ({
      aim: (release, parts): Cohort => ({
        unit: parts[0]?.unit ?? unit,
        salt: release,
        slices: parts.map(sliceOf),
      }),
      plan: async ({ objects }) => ({
        problems: [],
        actions: objects.map((one) => ({ kind: one.kind, name: one.name, undo: 'exact' })),
      }),
      observe: ({ name: release, objects }) => {
        const shown = shownOf(release, objects, store, kinds);
        const observedAtMs = clock().epochMilliseconds;
        return [{ name: PLACE, wanted: shown, observed: shown, state: 'healthy', observedAtMs }];
      },
    }),
  });
}

function whereSchema({
  units,
  unitsDescription,
  facts,
}: Pick<Parameters<typeof decisionPlane>[0], 'units' | 'unitsDescription' | 'facts'>): TSchema {
  const named = Type.String({ minLength: 1, maxLength: NAME_CHARS_MAX });
  return Type.Object(
    {
      unit: Type.Enum([...units], { default: units[0], description: unitsDescription }),
      audience: Type.Optional(
        Type.String({ minLength: 1, maxLength: NAME_CHARS_MAX, description: 'Only this Audience.' }),
      ),
      ...Object.fromEntries(
        facts.map(({ field, description }) => [
          field,
          Type.Optional(Type.Array(named, { minItems: 1, maxItems: VALUES_MAX, description })),
        ]),
      ),
      percent: Type.Number({
        exclusiveMinimum: 0,
        maximum: 100,
        multipleOf: 0.0001,
        default: 100,
        description: 'Per cent of these units that get it.',
      }),
    },
    { description: 'The users who get it from then on, besides those of earlier stages.' },
  );
}

/** All stages split the same unit: otherwise a later stage would move users back. */
function unitProblems(parts: readonly StagePart<CohortWhere>[]): PartProblem[] {
  const first = parts[0]?.where.unit;
  return parts
    .filter(({ where }) => where.unit !== first)
    .map(({ stage, where }) => ({
      stage,
      path: ['unit'],
      reason: 'FieldValueInvalid',
      detail: `An earlier stage splits by ${first}, this one by ${where.unit}: all stages must split the same unit.`,
    }));
}

type FactsOf = (where: CohortWhere) => readonly (readonly [fact: string, values: readonly string[]])[];

/** Stages that reach no new users. */
function reachProblems(parts: readonly StagePart<CohortWhere>[], factsOf: FactsOf): PartProblem[] {
  return parts.flatMap(({ stage, name, where }, index): PartProblem[] => {
    const places = placesOf(where, factsOf);
    const wider = places.map((place) => parts.slice(0, index).find((one) => covers(one.where, place, factsOf)));
    const found = [...new Set(wider)].filter((one) => one !== undefined);
    if (wider.includes(undefined)) return [];
    const names = found.map((one) => `"${one.name}" (${one.where.percent} %)`).join(', ');
    const detail = `Stage "${name}" reaches no new users beyond ${names}. A later stage must reach more.`;
    return [{ stage, path: ['percent'], reason: 'FieldValueInvalid', detail }];
  });
}

interface Place extends Pick<CohortWhere, 'percent' | 'audience'> {
  readonly facts: ReadonlyMap<string, string>;
}

/** A part, once for each combination of values of its facts. */
function placesOf(where: CohortWhere, factsOf: FactsOf): readonly Place[] {
  const { percent, audience } = where;
  const combined = factsOf(where).reduce<readonly ReadonlyMap<string, string>[]>(
    (all, [fact, values]) => all.flatMap((one) => values.map((value) => new Map([...one, [fact, value]]))),
    [new Map()],
  );
  return combined.map((facts) => ({ percent, ...(audience === undefined ? {} : { audience }), facts }));
}

function covers(wide: CohortWhere, { percent, audience, facts }: Place, factsOf: FactsOf): boolean {
  if (wide.percent < percent || (wide.audience !== undefined && wide.audience !== audience)) return false;
  return factsOf(wide).every(([fact, values]) => {
    const value = facts.get(fact);
    return value !== undefined && values.includes(value);
  });
}

/** The audience that is shown a release. All its Heads are written at once, so the first one is representative. */
function shownOf(
  release: string,
  [one]: readonly ReleaseItem[],
  store: Pick<Store<never>, 'get'>,
  kinds: KindRegistry,
) {
  if (one === undefined) return 'nobody';
  const head = store.get(Head, '', headName(kinds.byId(one.kind), one.name))?.object();
  const candidate = head === undefined ? undefined : candidateOf(head);
  if (candidate?.release === release) {
    const cohort = parseCohort(candidate.where);
    return cohort === undefined ? 'nobody' : cohortInWords(cohort);
  }
  return sameSide(one.to, head === undefined ? undefined : everyoneOf(head)?.object) ? 'everybody' : 'nobody';
}
