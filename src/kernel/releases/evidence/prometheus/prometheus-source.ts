import { ask, Unanswered } from '#kernel/http/outgoing.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { Reader } from '#kernel/resources/store-contract.ts';
import { durationMs } from '#kernel/resources/schema/duration.ts';
import type { GuardrailSpec } from '../../kinds/guardrail-spec.ts';
import { PrometheusSource, prometheusSourceSpec, type PrometheusSourceSpec } from '../../kinds/prometheus-source.ts';
import { missingKey, secretText } from '../../secret-text.ts';
import { candidateAnswers } from '../decisions-source.ts';
import type { Measured, Measurement, MeasureSource, Window } from '../measure-source.ts';
import { expandQuery, namesTrack, type Asked } from './expand-query.ts';
import { readAnswer, type QueryResult, type Series } from './read-answer.ts';

const LIMITS = {
  grainMs: 1_000,
  /** Until what was scraped last is there. */
  lagMs: 10_000,
  answerBytesMax: 1024 * 1024,
  /** Samples are used up to the age of so many windows. */
  staleWindows: 2,
} as const;

type Track = Asked['track'];

/** What a query says of one track; undefined when it says nothing. */
type Reading =
  | Exclude<QueryResult, { readonly at: 'series' }>
  | { readonly at: 'one'; readonly series: Series | undefined };

/** Numbers of a Prometheus, each by an instant query at the end of its window. */
export function prometheusSource(parts: {
  readonly store: Pick<Reader, 'get'>;
  readonly database: Queryable;
}): MeasureSource {
  const { store, database } = parts;
  return {
    grainMs: LIMITS.grainMs,
    lagMs: LIMITS.lagMs,
    completeUntil: (nowMs) => Promise.resolve(nowMs - LIMITS.lagMs),
    measure: async (window, signal) => {
      const { source = '', bad, total, value } = window.guardrail.prometheus ?? {};
      const entry = store.get(PrometheusSource, '', source);
      if (entry === undefined) return { at: 'down', because: `there is no PrometheusSource "${source}"` };
      const spec = prometheusSourceSpec(entry.object());
      const access = accessOf(spec);
      if ('because' in access) return { at: 'down', ...access };
      const read = (query: string, track: Track) => reading(query, track, window, spec, access, signal);
      const readings =
        value === undefined
          ? await Promise.all(
              [bad ?? '', total ?? ''].flatMap((query) => [read(query, 'candidate'), read(query, 'stable')]),
            )
          : [await read(value, 'candidate')];
      const failure = readings.find((one) => one.at === 'down');
      if (failure?.at === 'down') return failure;
      const series = readings.map((one) => (one.at === 'one' ? one.series : undefined));
      const late = tooOld(series, window);
      if (late !== undefined) return late;
      return (
        (value === undefined ? counts(series, window) : gauge(series, window)) ?? {
          at: 'empty',
          requests: await candidateAnswers(database, window),
        }
      );
    },
  };

  function accessOf({ bearerToken, basicAuth }: PrometheusSourceSpec): Access | { readonly because: string } {
    const key = bearerToken ?? basicAuth?.password;
    if (key === undefined) return { headers: {}, credential: undefined };
    const credential = secretText(store, key)?.trim();
    if (credential === undefined) return { because: missingKey(key) };
    const authorization =
      basicAuth === undefined
        ? `Bearer ${credential}`
        : `Basic ${Buffer.from(`${basicAuth.username}:${credential}`).toString('base64')}`;
    return { headers: { authorization }, credential };
  }
}

interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly credential: string | undefined;
}

async function reading(
  query: string,
  track: Track,
  { release, guardrail, fromMs, toMs }: Window,
  { url, timeout, caCertificate, serverName }: PrometheusSourceSpec,
  { headers, credential }: Access,
  signal: AbortSignal,
): Promise<Reading> {
  const expanded = expandQuery(query, { release, track, windowMs: toMs - fromMs });
  const body = new URLSearchParams({ query: expanded, time: String(toMs / 1_000) }).toString();
  try {
    const answered = await ask({
      method: 'POST',
      url: `${url.replace(/\/+$/, '')}/api/v1/query`,
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body,
      msMax: durationMs(timeout),
      bytesMax: LIMITS.answerBytesMax,
      ...(caCertificate === undefined ? {} : { ca: caCertificate }),
      ...(serverName === undefined ? {} : { serverName }),
      signal,
    });
    return oneOf(readAnswer(answered, credential), track, guardrail, namesTrack(query));
  } catch (error) {
    if (error instanceof Unanswered) return { at: 'down', because: error.message };
    throw error;
  }
}

/** The one series that a query may give for a track. Counts that are of no track would be the same for both. */
function oneOf(result: QueryResult, track: Track, { prometheus }: GuardrailSpec, isForTrack: boolean): Reading {
  if (result.at === 'down') return result;
  const { series } = result;
  const isLabelled = !isForTrack && series.some(({ labels }) => labels['track'] !== undefined);
  if (!isForTrack && !isLabelled && series.length > 0 && prometheus?.value === undefined) {
    const because = 'the query tells no tracks apart: it has no $track, and its result no label "track"';
    return { at: 'down', because };
  }
  const mine = isLabelled ? series.filter(({ labels }) => labels['track'] === track) : series;
  if (mine.length > 1) {
    const because = `the query gives ${mine.length} series for ${track} where one is meant: add them up`;
    return { at: 'down', because };
  }
  return { at: 'one', series: mine[0] };
}

function tooOld(series: readonly (Series | undefined)[], { fromMs, toMs }: Window): Measurement | undefined {
  const oldest = series.find((one) => one !== undefined && one.atMs < toMs - LIMITS.staleWindows * (toMs - fromMs));
  if (oldest === undefined) return undefined;
  const at = Temporal.Instant.fromEpochMilliseconds(Math.round(oldest.atMs)).toString({ smallestUnit: 'second' });
  return { at: 'waits', because: `its newest sample is of ${at}` };
}

/** Without a total of the candidate nothing is measured. Without bad ones, where there is a total, there were none. */
function counts(series: readonly (Series | undefined)[], { guardrail }: Window): Measurement | undefined {
  const [badCandidate, badStable, candidate, stable] = series.map((one) => one?.value);
  if (candidate === undefined) return undefined;
  return {
    at: 'measured',
    measured: measured(guardrail.name, 'events'),
    candidate: { units: candidate, bad: badCandidate ?? 0 },
    stable: { units: stable ?? 0, bad: stable === undefined ? 0 : (badStable ?? 0) },
  };
}

/** A gauge shows something also while nobody asks: one unit stands for that it was there. */
function gauge([candidate]: readonly (Series | undefined)[], { guardrail }: Window): Measurement | undefined {
  if (candidate === undefined) return undefined;
  return {
    at: 'measured',
    measured: measured(guardrail.name, 'values'),
    candidate: { units: 1, bad: 0, value: candidate.value },
    stable: { units: 0, bad: 0 },
  };
}

function measured(name: string, of: Measured['of']): Measured {
  const words = name.replaceAll('-', ' ');
  const called = `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
  return { called, better: 'fewer', of, isSplit: false };
}
