import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clustering, TrackClustering } from '#kernel/statistics/cells.ts';
import type { StoredAnswer } from './tally.ts';

/** JSON cannot express NaN and infinities: they are stored as text, and judged as measured. */
const Numeral = Type.Union([Type.Number(), Type.Enum(['NaN', 'Infinity', '-Infinity'])]);
const Counts = { units: Numeral, bad: Numeral };
const Track = Type.Object({ ...Counts, total: Type.Optional(Numeral), value: Type.Optional(Numeral) });

const clusteringFields: Readonly<Record<keyof TrackClustering, typeof Numeral>> = {
  cells: Numeral,
  units: Numeral,
  bad: Numeral,
  squares: Numeral,
  fourths: Numeral,
  squaresExpected: Numeral,
  unitSquares: Numeral,
  excess: Numeral,
  excessMax: Numeral,
  badOfMax: Numeral,
  badMax: Numeral,
};
const ClusteringShape = Type.Object({
  candidate: Type.Object(clusteringFields),
  stable: Type.Object(clusteringFields),
});

const Shape = Type.Union([
  Type.Object({
    at: Type.Literal('measured'),
    measured: Type.Object({
      called: Type.String(),
      better: Type.Enum(['fewer', 'more']),
      of: Type.Enum(['events', 'totals', 'values']),
      harmlessRate: Type.Optional(Type.Number()),
      isSplit: Type.Boolean(),
    }),
    candidate: Track,
    stable: Track,
    isBadMissing: Type.Optional(Type.Literal(true)),
    sources: Type.Optional(Type.Record(Type.String(), Type.Object(Counts))),
    history: Type.Optional(Type.Object({ psi: Type.Number(), rho: Type.Number(), windows: Type.Number() })),
    // Without a value for the scope, that of the release applies.
    clustering: Type.Optional(Type.Object({ release: ClusteringShape, scope: Type.Optional(ClusteringShape) })),
  }),
  Type.Object({ at: Type.Literal('empty'), requests: Type.Optional(Numeral) }),
  Type.Object({ at: Type.Literal('down'), because: Type.String() }),
]);

const shape = Compile(Shape);

/** A measurement as JSON, lossless. */
export function writeReading(reading: StoredAnswer): string {
  const written = reading.at === 'measured' ? withoutSameScope(reading) : reading;
  return JSON.stringify(written, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
}

function withoutSameScope({ clustering, ...rest }: Extract<StoredAnswer, { readonly at: 'measured' }>): object {
  if (clustering === undefined) return rest;
  const { release, scope } = clustering;
  return { ...rest, clustering: scope === release ? { release } : clustering };
}

/** Parses the output of `writeReading`. Throws on anything else. */
export function parseReading(json: unknown): StoredAnswer {
  if (!shape.Check(json)) throw new TypeError('a kept reading of a guardrail has another shape');
  return withNumbers(json);
}

function withNumbers(reading: Static<typeof Shape>): StoredAnswer {
  switch (reading.at) {
    case 'down':
      return reading;
    case 'empty':
      return { at: 'empty', ...(reading.requests === undefined ? {} : { requests: Number(reading.requests) }) };
    case 'measured': {
      const { at, measured, candidate, stable, isBadMissing, sources, clustering, history } = reading;
      const { called, better, of, harmlessRate, isSplit } = measured;
      const bySource = Object.entries(sources ?? {}).map(([name, { units, bad }]) => [
        name,
        { units: Number(units), bad: Number(bad) },
      ]);
      return {
        at,
        measured: { called, better, of, ...(harmlessRate === undefined ? {} : { harmlessRate }), isSplit },
        candidate: trackOf(candidate),
        stable: trackOf(stable),
        ...(isBadMissing === undefined ? {} : { isBadMissing }),
        ...(sources === undefined ? {} : { sources: Object.fromEntries(bySource) }),
        ...(clustering === undefined ? {} : { clustering: clusteringsOf(clustering) }),
        ...(history === undefined ? {} : { history }),
      };
    }
    default:
      return reading satisfies never;
  }
}

function trackOf({ units, bad, total, value }: Static<typeof Track>) {
  return {
    units: Number(units),
    bad: Number(bad),
    ...(total === undefined ? {} : { total: Number(total) }),
    ...(value === undefined ? {} : { value: Number(value) }),
  };
}

function clusteringsOf({
  release,
  scope,
}: NonNullable<Extract<Static<typeof Shape>, { at: 'measured' }>['clustering']>) {
  const ofRelease = clusteringIn(release);
  return { release: ofRelease, scope: scope === undefined ? ofRelease : clusteringIn(scope) };
}

function clusteringIn({ candidate, stable }: Static<typeof ClusteringShape>): Clustering {
  return { candidate: withFields(candidate), stable: withFields(stable) };
}

function withFields(fields: Readonly<Record<keyof TrackClustering, number | string>>): TrackClustering {
  const entries = Object.entries(fields).map(([name, value]) => [name, Number(value)]);
  return Object.fromEntries(entries) as Record<keyof TrackClustering, number>;
}
