import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allKinds } from '#planes/catalogue.ts';
import { startWorld } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { flag } from '../support/flags.ts';

/** Texts that no database column holds, beside ones that all do. */
const TEXT = fc.oneof(
  fc.constantFrom(
    '\0',
    'a\0b',
    '\ud800',
    'a\udc00',
    '\ud83d',
    'a',
    '',
    '-271821-04-20T00:00:00Z',
    '+275760-09-13',
    '5',
    '9'.repeat(30),
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
);

/** JSON on the wire escapes lone surrogates, which UTF-8 cannot encode. */
const json = (value: unknown): string => JSON.stringify(value);

/** Encodes a text for a URL; a lone surrogate becomes bytes that are no UTF-8. */
const inUrl = (text: string): string =>
  Array.from(text, (char) => (char.isWellFormed() ? encodeURIComponent(char) : '%ED%A0%80')).join('');

const VALUE: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: TEXT },
  { weight: 1, arbitrary: fc.array(TEXT, { maxLength: 2 }) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      TEXT.filter((key) => key !== '__proto__'),
      TEXT,
      { maxKeys: 2 },
    ),
  },
);

const STREAMS: ReadonlySet<string> = new Set(['/ofrep/v1/events', '/v1/snapshot']);

test('no text and no date makes any path answer 5xx', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { call } = world;
  const objects = [
    market('de'),
    feature('listening', { type: 'metered', unit: 'minutes' }),
    plan('premium', {}),
    flag('layout', {}),
  ];
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
  const declared = await call('POST', '/apis/releases.backline.dev/v1/changesets', { body });
  assert.equal(declared.status, 201, declared.text);
  const { paths } = (await call('GET', '/openapi.json')).json as {
    paths: Record<
      string,
      Record<
        string,
        {
          parameters?: { name: string }[];
          requestBody?: { content: Record<string, { schema?: { properties?: object } }> };
        }
      >
    >;
  };
  const good: Record<string, unknown> = {
    market: 'de',
    plan: 'premium',
    feature: 'listening',
    flag: 'layout',
    amount: 1,
    seconds: 10,
    key: 'k',
    until: Temporal.Now.instant().add({ hours: 24 }).toString(),
    reason: 'test',
    limit: 5,
  };
  const questions = Object.entries(paths).flatMap(([path, methods]) => {
    const { post, get } = methods;
    const properties = post?.requestBody?.content['application/json']?.schema?.properties ?? {};
    const names = [...new Set([...(get?.parameters ?? []).map(({ name }) => name), ...Object.keys(properties)])];
    // Streams do not end.
    return [{ path, names, reads: get !== undefined && !STREAMS.has(path) }];
  });
  const request = fc.oneof(
    // Every question, each of its inputs.
    fc
      .record({
        at: fc.nat({ max: questions.length - 1 }),
        bad: fc.array(fc.tuple(fc.nat(), VALUE), { minLength: 1, maxLength: 2 }),
        byGet: fc.boolean(),
        key: TEXT,
      })
      .map(({ at, bad, byGet, key }) => {
        const { path, names, reads } = questions[at] ?? { path: '/', names: [], reads: true };
        const to = path.replace('{key}', inUrl(key) || 'x');
        const input = Object.fromEntries(names.filter((name) => name in good).map((name) => [name, good[name]]));
        for (const [index, value] of bad) input[names[index % Math.max(1, names.length)] ?? 'x'] = value;
        if (byGet && reads) {
          const query = Object.entries(input).map(
            ([name, value]) => `${name}=${inUrl(typeof value === 'string' ? value : json(value))}`,
          );
          return { method: 'GET', path: `${to}?${query.join('&')}`, body: undefined };
        }
        return { method: 'POST', path: to, body: json(input) };
      }),
    // Events.
    fc
      .record({ id: VALUE, type: VALUE, at: VALUE, subject: VALUE, properties: VALUE, producer: VALUE })
      .map(({ producer, ...event }) => ({
        method: 'POST',
        path: '/v1/events',
        body: json({ producer, events: [event] }),
      })),
    fc
      .record({
        messageId: VALUE,
        type: fc.constant('track'),
        event: VALUE,
        userId: VALUE,
        properties: VALUE,
        timestamp: VALUE,
      })
      .map((event) => ({ method: 'POST', path: '/v1/batch', body: json({ batch: [event] }) })),
    // Resources: names, namespaces, selectors, moments and versions.
    fc
      .record({
        kind: fc.constantFrom(...allKinds().all),
        namespace: fc.oneof(fc.constant('default'), TEXT),
        name: fc.option(TEXT, { nil: undefined }),
        part: fc.constantFrom('', '/history', '/status'),
        query: fc.dictionary(fc.constantFrom('asOf', 'limit', 'continue', 'resourceVersion', 'labelSelector'), TEXT, {
          maxKeys: 2,
        }),
        field: fc.option(TEXT, { nil: undefined }),
        method: fc.constantFrom('GET', 'GET', 'GET', 'DELETE', 'POST', 'PUT', 'PATCH'),
        value: VALUE,
      })
      .map(({ kind, namespace, name, part, query, field, method, value }) => {
        const root = `/${kind.group === '' ? 'api' : 'apis'}/${kind.apiVersion}`;
        const place = kind.namespaced ? `/namespaces/${inUrl(namespace) || 'default'}` : '';
        const one = name === undefined ? '' : `/${inUrl(name) || 'x'}${part}`;
        const fields = Object.keys(kind.selectableFields ?? { 'metadata.name': [] });
        const selector = field === undefined ? [] : fields.slice(0, 4).map((each) => `${each}%3D${inUrl(field)}`);
        const texts = [
          ...Object.entries(query).map(([key, text]) => `${key}=${inUrl(text)}`),
          `fieldSelector=${selector.join(',')}`,
        ];
        // Deleting all of a kind would take the other requests their ground.
        const verb = method === 'DELETE' && name === undefined ? 'GET' : method;
        const object = {
          apiVersion: kind.apiVersion,
          kind: kind.kind,
          metadata: { name: name ?? 'x' },
          spec: { ...(kind.example?.spec as object), title: value, subject: value },
          data: { a: value },
        };
        return {
          method: verb,
          path: `${root}${place}/${kind.plural}${one}?${texts.join('&')}`,
          body: verb === 'GET' || verb === 'DELETE' ? undefined : json(object),
        };
      }),
  );
  const failing = new Map<string, string>();
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, body: text }) => {
      const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
      const { status, text: answer } = await call(method, path, {
        headers,
        ...(text === undefined ? {} : { body: text }),
      });
      if (status >= 500)
        failing.set(`${method} ${path.split('?')[0]}`, `${path} ${text} ${status} ${answer.slice(0, 200)}`);
    }),
    { numRuns: 1_500 },
  );
  assert.deepEqual([...failing.values()], []);

  const resources = '/apis/products.backline.dev/v1/namespaces/default/plans';
  for (const path of [
    `${resources}?fieldSelector=metadata.name%3Da%00`,
    '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=user%3Da%00',
    `${resources}/x%00y/history`,
    '/apis/products.backline.dev/v1/namespaces/%00/plans?asOf=5',
    `${resources}?asOf=-271821-04-20T00:00:00Z`,
    '/v1/subjects?listener=%00',
    '/v1/check?listener=%00&market=de&feature=listening',
  ]) {
    assert.equal((await call('GET', path)).status, 400, path);
  }
  const bad = '\0';
  for (const [path, input] of [
    ['/v1/subjects', { listener: bad }],
    ['/v1/consume', { ...good, listener: bad }],
    ['/v1/subscriptions', { listener: 'a', plan: 'premium', market: 'de', key: '\ud800' }],
    [
      '/v1/overrides',
      { listener: 'a', feature: 'listening', limit: 5, reason: `x${bad}y`, until: good['until'], key: 'k' },
    ],
    ['/ofrep/v1/evaluate/flags', { context: { targetingKey: bad } }],
    ['/ofrep/v1/evaluate/flags/layout', { context: { targetingKey: 'a', other: '\udfff' } }],
  ] as const) {
    const answer = await call('POST', path, { body: json(input) });
    assert.equal(answer.status, 400, `${path} ${answer.text}`);
  }
});
