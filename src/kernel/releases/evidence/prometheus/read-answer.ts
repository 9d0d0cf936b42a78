import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Answered } from '#kernel/http/outgoing.ts';

const Sample = Type.Tuple([Type.Number(), Type.String()]);
const Vector = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({
    resultType: Type.Literal('vector'),
    result: Type.Array(Type.Object({ metric: Type.Record(Type.String(), Type.String()), value: Sample })),
  }),
});
const Scalar = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({ resultType: Type.Literal('scalar'), result: Sample }),
});
const Other = Type.Object({ status: Type.Literal('success'), data: Type.Object({ resultType: Type.String() }) });
const Failed = Type.Object({ status: Type.Literal('error'), errorType: Type.String(), error: Type.String() });

const shapes = {
  vector: Compile(Vector),
  scalar: Compile(Scalar),
  other: Compile(Other),
  failed: Compile(Failed),
} as const;

/** Of what a Prometheus says about its error. */
const ERROR_CHARS_MAX = 200;

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly atMs: number;
}

/** What a query gave: any number of series, or why there is none. */
export type QueryResult =
  | { readonly at: 'series'; readonly series: readonly Series[] }
  | { readonly at: 'down'; readonly because: string };

/** Reads an answer of `/api/v1/query`. Nothing of the credential that it was asked with is said. */
export function readAnswer({ status, text, isCut }: Answered, credential: string | undefined): QueryResult {
  const down = (because: string): QueryResult => ({ at: 'down', because });
  if (isCut) return down('its answer is larger than 1 MiB');
  const answer = parsed(text);
  if (shapes.failed.Check(answer)) {
    const why = `${answer.errorType}: ${answer.error}`.slice(0, ERROR_CHARS_MAX);
    const isSafe = credential === undefined || !text.includes(credential);
    return down(`it answered ${status}${isSafe ? ` (${why})` : ''}`);
  }
  if (status < 200 || status >= 300) return down(`it answered ${status}`);
  if (shapes.vector.Check(answer)) {
    const series = answer.data.result.map(({ metric, value }) => ({ labels: metric, ...sampleOf(value) }));
    return { at: 'series', series };
  }
  if (shapes.scalar.Check(answer)) return { at: 'series', series: [{ labels: {}, ...sampleOf(answer.data.result) }] };
  if (shapes.other.Check(answer)) return down(`the query gives a ${answer.data.resultType} where a number is meant`);
  return down('its answer is not that of a Prometheus');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sampleOf([seconds, value]: Static<typeof Sample>): { readonly value: number; readonly atMs: number } {
  const number = DECIMAL.test(value) ? Number(value) : NaN;
  return { value: INFINITIES[value] ?? number, atMs: seconds * 1_000 };
}

/** As Prometheus writes numbers; what else Number() takes for one, like "" and "0x10", is none. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITIES: Readonly<Record<string, number>> = { '+Inf': Infinity, Inf: Infinity, '-Inf': -Infinity };
