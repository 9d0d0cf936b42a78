import { OutboundError, type Outbound } from '#kernel/outbound/outbound.ts';
import type { OutboundAnswer } from '#kernel/outbound/send-request.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { Counts } from '#kernel/statistics/interval.ts';
import { median } from '#kernel/statistics/median.ts';
import type { GuardrailSpec } from '../../kinds/guardrail-spec.ts';
import { PrometheusSource, type PrometheusSourceSpec } from '../../kinds/prometheus-source.ts';
import { missingKey, secretText } from '../../secret-text.ts';
import { candidateAnswers } from '../decisions-source.ts';
import type { MetricTraits, Measurement, MeasureSource, Window } from '../measure-source.ts';
import { expandQuery, hasDefault, namesTrack, type QueryVariables } from './expand-query.ts';
import { instancesOf, isAlike, pickSeries, sumOf, valuesOf, type TrackSeries } from './pick-series.ts';
import type { NoteRequest } from './reachable.ts';
import { readHistory, type Range } from './read-history.ts';
import { readAnswer, type QueryResult, type QueryType, type Series } from './read-answer.ts';

const LIMITS = {
  grainMs: 1_000,
  /** Delay until the last scrape is available. */
  lagMs: 10_000,
  answerBytesMax: 1024 * 1024,
  /** Maximum age of samples, in windows. */
  staleWindows: 2,
} as const;

type Down = Extract<QueryResult, { readonly at: 'down' }>;

/** Numbers of a Prometheus, by an instant query at the end of each window. */
export function prometheusSource(parts: {
  readonly store: Pick<Reader, 'get'>;
  readonly database: Queryable;
  readonly outbound: Outbound;
  /** Receives the result of each request. */
  readonly note?: NoteRequest;
}): MeasureSource {
  const { store, database, outbound, note = () => {} } = parts;
  return {
    grainMs: LIMITS.grainMs,
    lagMs: LIMITS.lagMs,
    completeUntil: (nowMs) => Promise.resolve(nowMs - LIMITS.lagMs),
    measure: async (window, signal) => {
      const { source = '', bad, total, value } = window.guardrail.prometheus ?? {};
      const access = accessTo(source);
      if ('because' in access) return { at: 'down', ...access };
      const read = (query: string, track: QueryVariables['track']) =>
        readTrack(query, track, window, { access, signal });
      const readings =
        value === undefined
          ? await Promise.all(
              [bad ?? '', total ?? ''].flatMap((query) => [read(query, 'candidate'), read(query, 'stable')]),
            )
          : [await read(value, 'candidate')];
      const tracks: TrackSeries[] = [];
      for (const one of readings) {
        if (one.at === 'down') return one;
        tracks.push(one);
      }
      const late = tooOld(tracks, window);
      if (late !== undefined) return late;
      return (
        (value === undefined ? counts(tracks, window) : gauge(tracks, window)) ?? {
          at: 'empty',
          requests: await candidateAnswers(database, window),
        }
      );
    },
    history: async ({ release, guardrail, beforeMs, windowMs }, signal) => {
      const { source = '', bad, total } = guardrail.prometheus ?? {};
      const access = accessTo(source);
      if ('because' in access || bad === undefined || total === undefined) return undefined;
      const read = (query: string, range: Range) => readRange(query, range, { release, guardrail }, { access, signal });
      return readHistory(
        async (range) => {
          const [ofBad, ofTotal] = await Promise.all([read(bad, range), read(total, range)]);
          return ofBad.at === 'down' || ofTotal.at === 'down' ? undefined : { bad: ofBad, total: ofTotal };
        },
        { beforeMs: Math.floor(beforeMs / LIMITS.grainMs) * LIMITS.grainMs, windowMs },
      );
    },
  };

  function accessTo(source: string): Access | { readonly because: string } {
    const entry = store.get(PrometheusSource, '', source);
    if (entry === undefined) return { because: `there is no PrometheusSource "${source}"` };
    const spec = PrometheusSource.spec(entry.object());
    const { bearerToken, basicAuth } = spec;
    const key = bearerToken ?? basicAuth?.password;
    const through = { outbound, note, name: source, spec };
    if (key === undefined) return { ...through, headers: {}, credential: undefined };
    const credential = secretText(store, key)?.trim();
    if (credential === undefined) return { because: missingKey(key) };
    const authorization =
      basicAuth === undefined
        ? `Bearer ${credential}`
        : `Basic ${Buffer.from(`${basicAuth.username}:${credential}`).toString('base64')}`;
    return { ...through, headers: { authorization }, credential };
  }
}

interface Access {
  readonly outbound: Outbound;
  readonly note: NoteRequest;
  /** Name of the PrometheusSource. */
  readonly name: string;
  readonly spec: PrometheusSourceSpec;
  readonly headers: Readonly<Record<string, string>>;
  readonly credential: string | undefined;
}

interface Asking {
  readonly access: Access;
  readonly signal: AbortSignal;
}

async function readTrack(
  query: string,
  track: QueryVariables['track'],
  { release, guardrail, fromMs, toMs }: Window,
  { access, signal }: Asking,
): Promise<TrackSeries | Down> {
  const expanded = expandQuery(query, { release, track, windowMs: toMs - fromMs });
  const result = await askFor('instant', { query: expanded, time: seconds(toMs) }, access, signal);
  return result.at === 'down' ? result : pickSeries(result.series, track, traitsOf(query, guardrail));
}

/** For stable, while there is no candidate. */
async function readRange(
  query: string,
  { startMs, endMs, stepMs }: Range,
  { release, guardrail }: Pick<Window, 'release' | 'guardrail'>,
  { access, signal }: Asking,
): Promise<TrackSeries | Down> {
  const track = 'stable';
  const expanded = expandQuery(query, { release, track, windowMs: stepMs });
  const parameters = { query: expanded, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
  const result = await askFor('range', parameters, access, signal);
  return result.at === 'down' ? result : pickSeries(result.series, track, traitsOf(query, guardrail));
}

function seconds(ms: number): string {
  return String(ms / 1_000);
}

function traitsOf(query: string, { prometheus }: GuardrailSpec) {
  return {
    isForTrack: namesTrack(query),
    hasDefault: hasDefault(query),
    isValue: prometheus?.value !== undefined,
  };
}

async function askFor(
  type: QueryType,
  parameters: Readonly<Record<string, string>>,
  { outbound, note, name, spec, headers, credential }: Access,
  signal: AbortSignal,
): Promise<QueryResult> {
  const { url, timeout, caCertificate, serverName } = spec;
  let answered: OutboundAnswer;
  try {
    const cause = { kind: PrometheusSource.kind, name };
    answered = await outbound.ask(cause, {
      method: 'POST',
      url: `${url.replace(/\/+$/, '')}/api/v1/${type === 'instant' ? 'query' : 'query_range'}`,
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams(parameters).toString(),
      msMax: durationMs(timeout),
      bytesMax: LIMITS.answerBytesMax,
      ...(caCertificate === undefined ? {} : { ca: caCertificate }),
      ...(serverName === undefined ? {} : { serverName }),
      signal,
    });
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    // A request that was aborted here says nothing about the source.
    if (!signal.aborted) note(name, error);
    return { at: 'down', because: error.message };
  }
  note(name, undefined);
  return readAnswer(answered, type, credential);
}

function tooOld(tracks: readonly TrackSeries[], { fromMs, toMs }: Window): Measurement | undefined {
  const times = tracks.flatMap(({ series }) => series.flatMap(({ samples }) => samples.map(({ atMs }) => atMs)));
  const oldestMs = times.find((atMs) => atMs < toMs - LIMITS.staleWindows * (toMs - fromMs));
  if (oldestMs === undefined) return undefined;
  const at = Temporal.Instant.fromEpochMilliseconds(Math.round(oldestMs)).toString({ smallestUnit: 'second' });
  return { at: 'waits', because: `its newest sample is of ${at}` };
}

const NO_SERIES: TrackSeries = { at: 'track', series: [], label: undefined };

/** Without a total of the candidate nothing is measured. A track without bad series, where the other one has some, had none. */
function counts(tracks: readonly TrackSeries[], { guardrail }: Window): Measurement | undefined {
  const [badCandidate = NO_SERIES, badStable = NO_SERIES, candidate = NO_SERIES, stable = NO_SERIES] = tracks;
  if (candidate.series.length === 0) return undefined;
  const units = { candidate: sumOf(candidate.series), stable: sumOf(stable.series) };
  const hasNoBad = badCandidate.series.length + badStable.series.length === 0;
  const sources = sourcesOf(candidate, badCandidate);
  return {
    at: 'measured',
    measured: metricTraits(guardrail.name, 'events'),
    candidate: { units: units.candidate, bad: sumOf(badCandidate.series) },
    stable: { units: units.stable, bad: stable.series.length === 0 ? 0 : sumOf(badStable.series) },
    ...(sources === undefined ? {} : { sources }),
    ...(hasNoBad && units.candidate + units.stable > 0 ? { isBadMissing: true } : {}),
  };
}

/** By instance, where both queries have the same instances. Events of an instance without units count in the sum only. */
function sourcesOf(total: TrackSeries, bad: TrackSeries): Readonly<Record<string, Counts>> | undefined {
  if (!isAlike(total, bad)) return undefined;
  const badOnes = instancesOf(bad);
  const entries = [...instancesOf(total)].map(([name, series]) => {
    return [name, { units: sumOf(series), bad: sumOf(badOnes.get(name) ?? []) }] as const;
  });
  return Object.fromEntries(entries.filter(([, { units }]) => units !== 0));
}

/** A gauge shows a value without traffic too: one unit stands for its presence. Of several instances it is the median. */
function gauge([candidate = NO_SERIES]: readonly TrackSeries[], { guardrail }: Window): Measurement | undefined {
  if (candidate.series.length === 0) return undefined;
  return {
    at: 'measured',
    measured: metricTraits(guardrail.name, 'values'),
    candidate: { units: 1, bad: 0, value: medianOf(candidate.series) },
    stable: { units: 0, bad: 0 },
  };
}

/** NaN of one instance makes the median NaN. */
function medianOf(series: readonly Series[]): number {
  const values = valuesOf(series);
  return values.some(Number.isNaN) ? NaN : median(values);
}

function metricTraits(name: string, of: MetricTraits['of']): MetricTraits {
  const words = name.replaceAll('-', ' ');
  const called = `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
  return { called, better: 'fewer', of, isSplit: false };
}
