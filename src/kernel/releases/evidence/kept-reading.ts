import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { KeptReading } from './tally.ts';

/** JSON has no word for what is no number: it is kept as text, and judged as it came. */
const Numeral = Type.Union([Type.Number(), Type.Enum(['NaN', 'Infinity', '-Infinity'])]);
const Counts = { units: Numeral, bad: Numeral };
const Track = Type.Object({ ...Counts, total: Type.Optional(Numeral), value: Type.Optional(Numeral) });

const Shape = Type.Union([
  Type.Object({
    at: Type.Literal('measured'),
    measured: Type.Object({
      called: Type.String(),
      better: Type.Enum(['fewer', 'more']),
      of: Type.Enum(['events', 'totals', 'values']),
      dispersion: Type.Number(),
      harmlessRate: Type.Optional(Type.Number()),
      isSplit: Type.Boolean(),
    }),
    candidate: Track,
    stable: Track,
    sources: Type.Optional(Type.Record(Type.String(), Type.Object(Counts))),
  }),
  Type.Object({ at: Type.Literal('empty'), requests: Type.Optional(Numeral) }),
  Type.Object({ at: Type.Literal('down'), because: Type.String() }),
]);

const shape = Compile(Shape);

/** A reading as JSON; what is read back is what was written. */
export function writeReading(reading: KeptReading): string {
  return JSON.stringify(reading, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
}

/** Reads what `writeReading` wrote. Throws on anything else. */
export function parseReading(json: unknown): KeptReading {
  if (!shape.Check(json)) throw new TypeError('a kept reading of a guardrail has another shape');
  return withNumbers(json);
}

function withNumbers(reading: Static<typeof Shape>): KeptReading {
  switch (reading.at) {
    case 'down':
      return reading;
    case 'empty':
      return { at: 'empty', ...(reading.requests === undefined ? {} : { requests: Number(reading.requests) }) };
    case 'measured': {
      const { candidate, stable, sources, ...rest } = reading;
      const bySource = Object.entries(sources ?? {}).map(([name, { units, bad }]) => [
        name,
        { units: Number(units), bad: Number(bad) },
      ]);
      return {
        ...rest,
        candidate: trackOf(candidate),
        stable: trackOf(stable),
        ...(sources === undefined ? {} : { sources: Object.fromEntries(bySource) }),
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
