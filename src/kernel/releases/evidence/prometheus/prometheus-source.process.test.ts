import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { generate } from 'selfsigned';
import { Secret } from '#kernel/access/kinds/secret.ts';
import { openLog } from '#kernel/base/log.ts';
import { parseAllowedHosts } from '#kernel/outbound/address-policy.ts';
import { openOutbound } from '#kernel/outbound/outbound.ts';
import { localOutbound } from '#kernel/outbound/testing/local-outbound.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import { startDatabase } from '#tests/support/database.ts';
import type { GuardrailSpec } from '../../kinds/guardrail-spec.ts';
import { PrometheusSource, type PrometheusSourceSpec } from '../../kinds/prometheus-source.ts';
import { addKept, NO_TALLY, verdictOf } from '../tally.ts';
import { sourceContract, type SourceWorld } from '../testing/source-contract.ts';
import { prometheusSource } from './prometheus-source.ts';
import { startRealPrometheus } from './testing/real-prometheus.ts';

const outbound = localOutbound();

const START_MS = Date.parse('2026-05-01T12:00:00Z');
const COUNTS: GuardrailSpec = {
  name: 'http-errors',
  prometheus: {
    source: 'main',
    bad: 'sum(sum_over_time(bad{release="$release",track="$track"}[$window]))',
    total: 'sum(sum_over_time(total{release="$release",track="$track"}[$window]))',
  },
  noWorse: { margin: 1.5 },
};
const BY_LABEL: GuardrailSpec = { ...COUNTS, prometheus: { source: 'main', bad: 'bad', total: 'total' } };
const VALUE: GuardrailSpec = {
  name: 'lag',
  prometheus: { source: 'main', value: 'lag' },
  threshold: { above: 1, unitsMin: 1 },
};

/** A store that has one source and one Secret. */
function storeWith(spec: Partial<PrometheusSourceSpec>, secret = 'topsecret') {
  const objects = new Map<Kind, object>([
    [PrometheusSource, { spec: { timeout: 'PT5S', ...spec } }],
    [Secret, { data: { key: Buffer.from(`${secret}\n`).toString('base64') } }],
  ]);
  return {
    get: (kind: Kind, _namespace: string, name: string): Entry | undefined =>
      name === 'gone' ? undefined : ({ object: () => objects.get(kind) } as unknown as Entry),
  };
}

async function serving(
  t: TestContext,
  listener: RequestListener,
  tls?: { key: string; cert: string },
): Promise<string> {
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startCounts(t: TestContext): Promise<Database> {
  const db = await startDatabase();
  t.after(() => db[Symbol.asyncDispose]());
  return db.database;
}

interface Sample {
  readonly name: string;
  readonly release: string;
  readonly track: string;
  readonly atMs: number;
  readonly value: number;
}

/** Answers the two queries of `COUNTS` from samples, as a Prometheus would. */
function answering(samples: readonly Sample[]): RequestListener {
  return (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const asked = new URLSearchParams(body);
      const pattern = /^sum\(sum_over_time\((\w+)\{release="([^"]*)",track="(\w+)"\}\[(\d+)s\]\)\)$/;
      const [, name, release, track, seconds] = pattern.exec(asked.get('query') ?? '') ?? [];
      const toMs = Number(asked.get('time')) * 1_000;
      const found = samples.filter(
        (one) =>
          one.name === name &&
          one.release === release &&
          one.track === track &&
          one.atMs > toMs - Number(seconds) * 1_000 &&
          one.atMs <= toMs,
      );
      const sum = found.reduce((all, { value }) => all + value, 0);
      const result = found.length === 0 ? [] : [{ metric: {}, value: [toMs / 1_000, String(sum)] }];
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    });
  };
}

function produceIn(samples: Sample[]): SourceWorld['produceEvents'] {
  return async (release, fromMs, done) => {
    for (const { track, units, bad } of done) {
      const sample = { release, track, atMs: fromMs + 500 };
      samples.push({ ...sample, name: 'total', value: units }, { ...sample, name: 'bad', value: bad });
    }
  };
}

sourceContract(
  'prometheus',
  async (t): Promise<SourceWorld> => {
    const database = await startCounts(t);
    const samples: Sample[] = [];
    let isGone = false;
    const answer = answering(samples);
    const url = await serving(t, (request, response) =>
      isGone ? request.socket.destroy() : answer(request, response),
    );
    return {
      source: prometheusSource({ outbound, store: storeWith({ url: `${url}/` }), database }),
      guardrail: COUNTS,
      produceEvents: produceIn(samples),
      settle: async () => {},
      breakDown: async () => {
        isGone = true;
      },
    };
  },
  START_MS,
);

sourceContract(
  'a real Prometheus',
  async (t): Promise<SourceWorld> => {
    const database = await startCounts(t);
    const samples: Sample[] = [];
    const real = await startRealPrometheus(t);
    return {
      source: prometheusSource({ outbound, store: storeWith({ url: real.url }), database }),
      guardrail: COUNTS,
      produceEvents: produceIn(samples),
      settle: () =>
        real.start(
          samples.map(({ name, release, track, atMs, value }) => ({
            series: `${name}{release="${release}",track="${track}"}`,
            atMs,
            value,
          })),
        ),
      breakDown: real.stop,
    };
  },
  START_MS,
  startRealPrometheus.missing,
);

type ScriptedAnswer = { readonly status?: number; readonly body: string | object };

/** The measurement from one answer. */
async function measure(
  t: TestContext,
  scripted: ScriptedAnswer | ((query: string) => ScriptedAnswer),
  guardrail = COUNTS,
  parts: { readonly database?: Database; readonly spec?: Partial<PrometheusSourceSpec> } = {},
) {
  const url = await serving(t, (request, response) => {
    let sent = '';
    request.setEncoding('utf8').on('data', (text: string) => (sent += text));
    request.on('end', () => {
      const query = new URLSearchParams(sent).get('query') ?? '';
      const { status = 200, body } = typeof scripted === 'function' ? scripted(query) : scripted;
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  const database = parts.database ?? (await startCounts(t));
  const source = prometheusSource({ outbound, store: storeWith({ url, ...parts.spec }), database });
  const window = { release: 'one', guardrail, stage: 0, fromMs: START_MS, toMs: START_MS + 30_000 };
  return source.measure(window, AbortSignal.timeout(60_000));
}

const NOW = START_MS / 1_000 + 30;
const vector = (...result: object[]) => ({ body: { status: 'success', data: { resultType: 'vector', result } } });
const one = (value: string, labels: object = {}, at = NOW) => ({ metric: labels, value: [at, value] });

test('each way in which a number is missing is distinguished', async (t) => {
  const cases: readonly [ScriptedAnswer, string][] = [
    [{ status: 503, body: 'no' }, 'it answered 503'],
    [{ status: 200, body: '<html>' }, 'its answer is not from a Prometheus'],
    [{ status: 302, body: '' }, 'it answered 302'],
    [
      { status: 400, body: { status: 'error', errorType: 'bad_data', error: 'parse error: unexpected ")"' } },
      'it answered 400 (bad_data: parse error: unexpected ")")',
    ],
    [
      { body: { status: 'success', data: { resultType: 'matrix', result: [] } } },
      'the query gives a matrix instead of a number',
    ],
    [
      vector(one('1', { pod: 'a', path: '/' }), one('2', { path: '/' })),
      'the query gives 2 series for candidate instead of one: aggregate them, or group by instance',
    ],
    [{ body: 'x'.repeat(1_100_000) }, 'its answer is larger than 1 MiB'],
  ];
  const parts = { database: await startCounts(t) };
  for (const [scripted, because] of cases) {
    assert.deepEqual(await measure(t, scripted, COUNTS, parts), { at: 'down', because });
  }
  assert.deepEqual(await measure(t, vector(one('1', {}, NOW - 61)), COUNTS, parts), {
    at: 'waits',
    because: 'its newest sample is of 2026-05-01T11:59:29Z',
  });
});

test('a server that does not answer is down in the time that it is given', async (t) => {
  const url = await serving(t, () => {});
  const source = prometheusSource({
    outbound,
    store: storeWith({ url, timeout: 'PT1S' }),
    database: await startCounts(t),
  });
  const window = { release: 'one', guardrail: VALUE, stage: 0, fromMs: START_MS, toMs: START_MS + 30_000 };
  const measurement = await source.measure(window, AbortSignal.timeout(60_000));
  assert.deepEqual(measurement, { at: 'down', because: 'it did not answer in 1 s' });
});

test('a server inside the network is down until the configuration allows it, and the reason names the option', async (t) => {
  let requests = 0;
  const url = await serving(t, (_, response) => {
    requests += 1;
    response.end();
  });
  const closed = openOutbound({
    allowed: parseAllowedHosts([]),
    log: openLog('silent'),
    registry: new Registry(),
  });
  const source = prometheusSource({ outbound: closed, store: storeWith({ url }), database: await startCounts(t) });
  const window = { release: 'one', guardrail: VALUE, stage: 0, fromMs: START_MS, toMs: START_MS + 30_000 };
  assert.deepEqual(
    [await source.measure(window, AbortSignal.timeout(60_000)), requests],
    [
      {
        at: 'down',
        because:
          'its host has an address that objects may not reach (loopback); the server allows hosts with --allow-outbound',
      },
      0,
    ],
  );
});

test('nothing of the candidate is nothing at all, with what it was asked meanwhile', async (t) => {
  const database = await startCounts(t);
  const node = new ReleaseCounts('a/1');
  node.count('one', 'candidate', 'given', START_MS);
  await node.flush(database, START_MS);
  const empty = await measure(t, (query) => (query.includes('stable') ? vector(one('9')) : vector()), COUNTS, {
    database,
  });
  assert.deepEqual(empty, { at: 'empty', requests: 1 });
});

test('bad without a series of either track is reported as missing; with one of the other track, or a default, it is none', async (t) => {
  const database = await startCounts(t);
  const withDefault: GuardrailSpec = {
    ...BY_LABEL,
    prometheus: { source: 'main', bad: 'sum by (track) (bad) or vector(0)', total: 'total' },
  };
  const isBad = (query: string) => query.includes('bad');
  const ofBoth = vector(one('9', { track: 'candidate' }), one('9', { track: 'stable' }));
  const cases: readonly [
    guardrail: GuardrailSpec,
    answers: (query: string) => ScriptedAnswer,
    bad: readonly unknown[],
  ][] = [
    [COUNTS, (query) => (isBad(query) ? vector() : vector(one('9'))), [0, 0, true]],
    [COUNTS, (query) => (isBad(query) ? vector() : vector(one('0'))), [0, 0, undefined]],
    [COUNTS, (query) => (isBad(query) && query.includes('stable') ? vector() : vector(one('9'))), [9, 0, undefined]],
    [COUNTS, (query) => (isBad(query) && query.includes('cand') ? vector() : vector(one('9'))), [0, 9, undefined]],
    [BY_LABEL, (query) => (isBad(query) ? vector() : ofBoth), [0, 0, true]],
    [withDefault, (query) => (isBad(query) ? vector(one('0')) : ofBoth), [0, 0, undefined]],
    [
      withDefault,
      (query) => (isBad(query) ? vector(one('0'), one('2', { track: 'stable' })) : ofBoth),
      [0, 2, undefined],
    ],
  ];
  for (const [guardrail, answers, bad] of cases) {
    const measurement = await measure(t, answers, guardrail, { database });
    assert.ok(measurement.at === 'measured', JSON.stringify(measurement));
    assert.deepEqual([measurement.candidate.bad, measurement.stable.bad, measurement.isBadMissing], bad);
  }
});

test('series by instance are added up for their track, and kept apart for the candidate', async (t) => {
  const byInstance = (query: string): ScriptedAnswer => {
    if (query.includes('stable')) return vector(one('50', { pod: 'c' }), one('60', { pod: 'd' }));
    return query.includes('bad')
      ? vector(one('3', { pod: 'a', path: '/' }), one('1', { pod: 'a', path: '/x' }), one('0'))
      : vector(one('10', { pod: 'a' }), one('20', { pod: 'b' }), one('0', { pod: 'idle' }));
  };
  const guardrail = { ...COUNTS, prometheus: { ...COUNTS.prometheus, bad: 'bad{t="$track"} or vector(0)' } };
  const database = await startCounts(t);
  const measurement = await measure(t, byInstance, guardrail as GuardrailSpec, { database });
  assert.ok(measurement.at === 'measured', JSON.stringify(measurement));
  assert.deepEqual(
    [measurement.candidate, measurement.stable, measurement.sources],
    [
      { units: 30, bad: 4 },
      { units: 110, bad: 110 },
      { a: { units: 10, bad: 4 }, b: { units: 20, bad: 0 } },
    ],
  );
  const many = Array.from({ length: 201 }, (_, index) => one('1', { instance: `i${index}`, pod: 'a' }));
  assert.deepEqual(await measure(t, vector(...many), COUNTS, { database }), {
    at: 'down',
    because: 'the query gives 201 instances for candidate, at most 200 are allowed: aggregate them',
  });
  assert.ok((await measure(t, vector(...many.slice(1)), COUNTS, { database })).at === 'measured');
});

test('one broken instance of many is named and decides nothing; all of them, or one alone, do', async (t) => {
  const database = await startCounts(t);
  /** The verdict on a candidate whose instances have so many bad ones of a hundred, after ten windows. */
  const verdictFor = async (bad: readonly number[]) => {
    const url = await serving(t, (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const asked = new URLSearchParams(body);
        const query = asked.get('query') ?? '';
        const values = query.includes('stable') ? [1, 1] : bad;
        const result = values.map((value, index) => ({
          metric: { instance: `pod-${index}:8080` },
          value: [Number(asked.get('time')), query.includes('total') ? '100' : String(value)],
        }));
        response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
      });
    });
    const source = prometheusSource({ outbound, store: storeWith({ url }), database });
    let tally = NO_TALLY;
    for (let index = 0; index < 10; index += 1) {
      const [fromMs, toMs] = [START_MS + index * 60_000, START_MS + (index + 1) * 60_000];
      const window = { release: 'one', guardrail: COUNTS, stage: 0, fromMs, toMs };
      const reading = await source.measure(window, AbortSignal.timeout(60_000));
      assert.ok(reading.at === 'measured', JSON.stringify(reading));
      const { cells: _none, ...kept } = reading;
      tally = addKept(COUNTS, tally, {
        guardrail: COUNTS.name,
        fromMs,
        toMs,
        stage: 0,
        share: 0.5,
        reading: kept,
        judgeVersion: 1,
        atMs: toMs,
      });
    }
    return verdictOf(COUNTS, tally, 0, { alpha: 0.05, beta: 0.05, metrics: 1 });
  };
  const oneOfMany = await verdictFor([1, 1, 60, 1, 1]);
  assert.equal(oneOfMany?.outcome, 'undecided');
  assert.match(oneOfMany.because, /comes from pod-2:8080, which has 20 % of the units/);
  for (const bad of [[60, 60, 60, 60, 60], [60, 60], [60]]) {
    assert.equal((await verdictFor(bad))?.outcome, 'fail', JSON.stringify(bad));
  }
});

/** Minutes of four instances; the rate of each moves by itself, slowly, by so much of it. */
function moving(instance: number, index: number, by: number): { readonly total: number; readonly bad: number } {
  return { total: 3_000, bad: Math.round(60 * (1 + by * Math.sin(index / (3 + instance) + instance))) };
}

interface AskedRange {
  readonly query: string;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Answers ranges of windows of four instances, and notes what it was asked for. */
async function startRanges(t: TestContext, answer: (range: AskedRange) => object | undefined) {
  const asked: AskedRange[] = [];
  const url = await serving(t, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const given = new URLSearchParams(body);
      const [start = NaN, end = NaN, step = NaN] = ['start', 'end', 'step'].map((name) => Number(given.get(name)));
      const range = { query: given.get('query') ?? '', start, end, step };
      assert.equal(request.url, '/api/v1/query_range');
      asked.push(range);
      const result = answer(range);
      if (result === undefined) response.writeHead(503).end('no');
      else response.end(JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }));
    });
  });
  const source = prometheusSource({ outbound, store: storeWith({ url }), database: await startCounts(t) });
  const history = (guardrail = COUNTS, windowMs = 60_000) =>
    source.history?.({ release: 'one', guardrail, beforeMs: START_MS + 321, windowMs }, AbortSignal.timeout(60_000));
  return { asked, history };
}

/** Series by instance with one number for each window of a range. */
function matrix({ query, start, end, step }: AskedRange, by: number, label = 'instance'): object[] {
  return [0, 1, 2, 3].map((instance) => {
    const values: [number, string][] = [];
    for (let at = start; at <= end; at += step) {
      const { total, bad } = moving(instance, at / step, by);
      values.push([at, String(query.includes('total') ? total : bad)]);
    }
    return { metric: { [label]: `i${instance}` }, values };
  });
}

test('the day before the release is read backwards, by halves of the instances of stable', async (t) => {
  const { asked, history } = await startRanges(t, (range) => matrix(range, 0.8));
  const learned = (await history()) ?? assert.fail();
  assert.equal(learned.windows, 1_440);
  assert.ok(learned.psi > 5 && learned.rho > 0.5, JSON.stringify(learned));
  assert.deepEqual(
    new Set(asked.map(({ query }) => query.replace(/total|bad/, 'x'))),
    new Set(['sum(sum_over_time(x{release="one",track="stable"}[60s]))']),
  );
  // Until the number of instances is known, few windows at a time; each once, by both queries.
  const ranges = asked.filter(({ query }) => query.includes('total'));
  const sizes = ranges.map(({ start, end, step }) => (end - start) / step + 1);
  assert.deepEqual([ranges.length * 2, sizes], [asked.length, [30, 1_410]]);
  assert.equal(ranges[0]?.end, START_MS / 1_000);
  assert.equal(ranges[1]?.end, (ranges[0]?.start ?? NaN) - 60);
});

test('instances that move alike, or not at all, teach that nothing moves by itself', async (t) => {
  const { history } = await startRanges(t, (range) => matrix(range, 0));
  assert.equal((await history())?.psi, 0);
});

test('a history that is absent, not by instance, or fails teaches nothing, or only its earlier part', async (t) => {
  const none = await startRanges(t, () => []);
  assert.deepEqual([await none.history(), none.asked.length], [undefined, 2]);
  const summed = await startRanges(t, (range) => matrix(range, 0.8, 'path').slice(0, 1));
  assert.deepEqual([await summed.history(), summed.asked.length], [undefined, 2]);
  const down = await startRanges(t, () => undefined);
  assert.deepEqual([await down.history(), down.asked.length], [undefined, 2]);
  const times = (range: AskedRange, count: number) => Array.from({ length: count }, () => matrix(range, 0.8)).flat();
  const isOld = ({ end }: AskedRange) => end < START_MS / 1_000 - 100 * 60;
  const short = await startRanges(t, (range) => (isOld(range) ? [] : times(range, 15)));
  assert.equal((await short.history())?.windows, 130);
  const large = await startRanges(t, (range) => times(range, isOld(range) ? 200 : 15));
  assert.equal((await large.history())?.windows, 130, 'then more than 1 MiB');
  // Of windows of half an hour there are too few in a day, of short ones the newest are taken.
  assert.equal(await (await startRanges(t, (range) => matrix(range, 0.8))).history(COUNTS, 1_800_000), undefined);
  const brief = await startRanges(t, (range) => matrix(range, 0.8));
  assert.equal((await brief.history(COUNTS, 30_000))?.windows, 1_440);
  assert.equal((brief.asked.at(-1)?.start ?? NaN) * 1_000, START_MS - 1_439 * 30_000);
  const value = await startRanges(t, (range) => matrix(range, 0.8));
  assert.deepEqual([await value.history(VALUE), value.asked.length], [undefined, 0]);
});

test(
  'a real Prometheus: by instance, with a default, and the hours before',
  { skip: startRealPrometheus.missing ?? false },
  async (t) => {
    const real = await startRealPrometheus(t);
    const samples = Array.from({ length: 120 }, (_, index) => index).flatMap((index) =>
      [0, 1, 2, 3].flatMap((instance) => {
        const atMs = START_MS - index * 60_000 - 30_000;
        const { total, bad } = moving(instance, index, 0.8);
        const series = (name: string) => `${name}{track="stable",instance="i${instance}"}`;
        return [
          { series: series('total'), atMs, value: total },
          { series: series('bad'), atMs, value: bad },
        ];
      }),
    );
    const now = ['a', 'b'].map((pod) => ({
      series: `total{track="candidate",instance="${pod}"}`,
      atMs: START_MS - 30_000,
      value: 10,
    }));
    await real.start([...samples, ...now]);
    const source = prometheusSource({ outbound, store: storeWith({ url: real.url }), database: await startCounts(t) });
    const query = (name: string) => `sum by (instance) (sum_over_time(${name}{track="$track"}[$window]))`;
    const guardrail: GuardrailSpec = {
      ...COUNTS,
      prometheus: { source: 'main', bad: `${query('bad')} or vector(0)`, total: query('total') },
    };
    const signal = AbortSignal.timeout(60_000);
    const window = { release: 'one', guardrail, stage: 0, fromMs: START_MS - 60_000, toMs: START_MS };
    const measurement = await source.measure(window, signal);
    assert.ok(measurement.at === 'measured', JSON.stringify(measurement));
    const { candidate, stable, sources, isBadMissing } = measurement;
    assert.deepEqual(
      { candidate, units: stable.units, isBadMissing, sources },
      {
        candidate: { units: 20, bad: 0 },
        units: 12_000,
        isBadMissing: undefined,
        sources: { a: { units: 10, bad: 0 }, b: { units: 10, bad: 0 } },
      },
    );
    const history = await source.history?.({ release: 'one', guardrail, beforeMs: START_MS, windowMs: 60_000 }, signal);
    assert.equal(history?.windows, 120);
    assert.ok(history.psi > 5 && history.rho > 0.5, JSON.stringify(history));
  },
);

test('tracks are separated by the query or by a label, and a query that does neither is never compared', async (t) => {
  const labelled = await measure(
    t,
    (query) => vector(one(query === 'bad' ? '1' : '10', { track: 'candidate' }), one('5', { track: 'stable' })),
    BY_LABEL,
  );
  assert.ok(labelled.at === 'measured');
  assert.deepEqual(
    [labelled.candidate, labelled.stable],
    [
      { units: 10, bad: 1 },
      { units: 5, bad: 5 },
    ],
  );
  assert.deepEqual(await measure(t, vector(one('5')), BY_LABEL), {
    at: 'down',
    because: 'the query does not separate tracks: it has no $track, and its result no label "track"',
  });
});

test('a value is what the query gives, also what is no number, and a scalar is one; of instances it is the median', async (t) => {
  const parts = { database: await startCounts(t) };
  for (const [text, value] of [
    ['0.25', 0.25],
    ['NaN', NaN],
    ['+Inf', Infinity],
    ['-Inf', -Infinity],
  ] as const) {
    const vectored = await measure(t, vector(one(text)), VALUE, parts);
    assert.ok(vectored.at === 'measured');
    assert.deepEqual(vectored.candidate, { units: 1, bad: 0, value });
  }
  for (const [values, value] of [
    [['5', '1', '2'], 2],
    [['5', '1'], 3],
    [['5', 'NaN', '2'], NaN],
  ] as const) {
    const all = values.map((text, index) => one(text, { instance: `i${index}` }));
    const median = await measure(t, vector(...all), VALUE, parts);
    assert.ok(median.at === 'measured');
    assert.deepEqual(median.candidate, { units: 1, bad: 0, value });
  }
  const ofOne = vector(one('1', { instance: 'a', cpu: '0' }), one('2', { instance: 'a', cpu: '1' }));
  assert.deepEqual(await measure(t, ofOne, VALUE, parts), {
    at: 'down',
    because: 'the query gives 2 series for candidate of 1 instances: aggregate those of each',
  });
  const scalar = await measure(
    t,
    { body: { status: 'success', data: { resultType: 'scalar', result: [NOW, '3'] } } },
    VALUE,
    parts,
  );
  assert.ok(scalar.at === 'measured' && scalar.candidate.value === 3);
});

test('a token or a password is sent and never revealed, over TLS to the owner of the certificate names', async (t) => {
  const made = await generate([{ name: 'commonName', value: 'prometheus.internal' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'prometheus.internal' }] }],
  });
  const seen: string[] = [];
  const url = await serving(
    t,
    (request, response) => {
      const { authorization = '' } = request.headers;
      seen.push(authorization);
      const error = { status: 'error', errorType: 'denied', error: `not with ${authorization}` };
      response.writeHead(401).end(JSON.stringify(error));
    },
    { key: made.private, cert: made.cert },
  );
  const database = await startCounts(t);
  const window = { release: 'one', guardrail: VALUE, stage: 0, fromMs: START_MS, toMs: START_MS + 30_000 };
  const key = { namespace: 'ops', name: 's', key: 'key' };
  const measure = (spec: Partial<PrometheusSourceSpec>) =>
    prometheusSource({ outbound, store: storeWith({ url, ...spec }), database }).measure(
      window,
      AbortSignal.timeout(60_000),
    );
  const trusted = { caCertificate: made.cert, serverName: 'prometheus.internal' };
  const token = await measure({ ...trusted, bearerToken: key });
  await measure({ ...trusted, basicAuth: { username: 'ada', password: key } });
  assert.deepEqual(seen, ['Bearer topsecret', `Basic ${Buffer.from('ada:topsecret').toString('base64')}`]);
  assert.deepEqual(token, { at: 'down', because: 'it answered 401' });
  assert.match(JSON.stringify(await measure({ bearerToken: key })), /it cannot be reached \(\w+\)/);
  const missing = await measure({ bearerToken: { ...key, name: 'gone' } });
  assert.deepEqual(missing, { at: 'down', because: 'there is no Secret "ops/gone" with the key "key"' });
  assert.equal(seen.length, 2);
});
