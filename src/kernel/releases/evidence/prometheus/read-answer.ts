import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { OutboundAnswer } from '#kernel/outbound/send-request.ts';

const SampleShape = Type.Tuple([Type.Number(), Type.String()]);
const Labels = Type.Record(Type.String(), Type.String());
const Vector = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({
    resultType: Type.Literal('vector'),
    result: Type.Array(Type.Object({ metric: Labels, value: SampleShape })),
  }),
});
const Scalar = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({ resultType: Type.Literal('scalar'), result: SampleShape }),
});
const Matrix = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({
    resultType: Type.Literal('matrix'),
    result: Type.Array(Type.Object({ metric: Labels, values: Type.Array(SampleShape) })),
  }),
});
const Other = Type.Object({ status: Type.Literal('success'), data: Type.Object({ resultType: Type.String() }) });
const Failed = Type.Object({ status: Type.Literal('error'), errorType: Type.String(), error: Type.String() });

const shapes = {
  vector: Compile(Vector),
  scalar: Compile(Scalar),
  matrix: Compile(Matrix),
  other: Compile(Other),
  failed: Compile(Failed),
} as const;

/** Maximum length of a Prometheus error. */
const ERROR_CHARS_MAX = 200;

interface Sample {
  readonly value: number;
  readonly atMs: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** One, for an instant query. */
  readonly samples: readonly Sample[];
}

/** The result of a query: any number of series, or why there is none. */
export type QueryResult =
  | { readonly at: 'series'; readonly series: readonly Series[] }
  | { readonly at: 'down'; readonly because: string };

/** `/api/v1/query`, or `/api/v1/query_range`. */
export type QueryType = 'instant' | 'range';

/** Reads the answer to a query. Never reveals the credential of the request. */
export function readAnswer(
  { status, text, isCut }: OutboundAnswer,
  type: QueryType,
  credential: string | undefined,
): QueryResult {
  const down = (because: string): QueryResult => ({ at: 'down', because });
  if (isCut) return down('its answer is larger than 1 MiB');
  const answer = parseJson(text);
  if (shapes.failed.Check(answer)) {
    const why = `${answer.errorType}: ${answer.error}`.slice(0, ERROR_CHARS_MAX);
    const isSafe = credential === undefined || !text.includes(credential);
    return down(`it answered ${status}${isSafe ? ` (${why})` : ''}`);
  }
  if (status < 200 || status >= 300) return down(`it answered ${status}`);
  if (type === 'instant' && shapes.vector.Check(answer)) {
    return series(answer.data.result.map(({ metric, value }) => ({ labels: metric, samples: [sampleOf(value)] })));
  }
  if (type === 'instant' && shapes.scalar.Check(answer)) {
    return series([{ labels: {}, samples: [sampleOf(answer.data.result)] }]);
  }
  if (type === 'range' && shapes.matrix.Check(answer)) {
    return series(answer.data.result.map(({ metric, values }) => ({ labels: metric, samples: values.map(sampleOf) })));
  }
  if (shapes.other.Check(answer)) return down(`the query gives a ${answer.data.resultType} instead of a number`);
  return down('its answer is not from a Prometheus');
}

function series(all: readonly Series[]): QueryResult {
  return { at: 'series', series: all };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sampleOf([seconds, value]: Static<typeof SampleShape>): Sample {
  const number = DECIMAL.test(value) ? Number(value) : NaN;
  return { value: INFINITIES[value] ?? number, atMs: seconds * 1_000 };
}

/** As Prometheus writes numbers; other texts that Number() accepts, like "" and "0x10", are invalid. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITIES: Readonly<Record<string, number>> = { '+Inf': Infinity, Inf: Infinity, '-Inf': -Infinity };
