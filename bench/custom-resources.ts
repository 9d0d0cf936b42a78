import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { absolute, median, type Figure } from './figure.ts';
import { cpuSeconds, load, startBackline } from './load.ts';
import { measureStart } from './measure-start.ts';

const DEFINITIONS = 600;
const OBJECTS = 50_000;
const CLIENTS = 8;
const GROUPS = 60;
const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const GROUP = 'g0.bench.example';
const WIDGETS = `/apis/${GROUP}/v1/namespaces/default/kind0s`;
const COLORS = 100;
/** Fields of one definition: with their descriptions some 100 KB of JSON. */
const FIELDS = 300;

/**
 * Six hundred large CustomResourceDefinitions: what they cost to write, in memory and at the start; and the objects of one of them.
 * A start without definitions is the peer.
 */
export async function* run(): AsyncIterable<Figure> {
  const data = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  try {
    const before = await startOn(data);
    await before.stop();
    yield* measureDefinitions(data);
    const after = await startOn(data);
    await after.stop();
    const added = (after.heldBytes - before.heldBytes) / 1e6;
    yield absolute('custom-resources/memory-600', 'MB more', added, { max: 300 });
    const later = after.secondsToReady - before.secondsToReady;
    yield absolute('custom-resources/start-600', 's later', later, { max: 2 });
    yield absolute('custom-resources/start-loop', 'ms', after.slowestHealthMs, { max: 50 });
    yield* measureObjects(data);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

function startOn(data: string) {
  return measureStart(['up', '--data', data, '--no-sample']);
}

async function* measureDefinitions(data: string): AsyncIterable<Figure> {
  const server = await startBackline(['--no-sample'], data);
  const url = server.url.replace('http:', 'https:');
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const clockMs = async () => (await cpuSeconds(server.url)) * 1_000;
  const reads = async (path: string, accept = 'application/json') => {
    const begun = await clockMs();
    await load(url, 1, 1, () => ({ method: 'GET', path, headers: { ...headers, accept }, status: 200 }));
    return (await clockMs()) - begun;
  };
  try {
    const begun = await clockMs();
    await load(url, DEFINITIONS, CLIENTS, (index) => ({
      method: 'POST',
      path: PATH,
      headers,
      body: JSON.stringify(definition(index)),
      status: 201,
    }));
    await untilServed(server.url, server.token);
    yield absolute('custom-resources/define', 'ms CPU', ((await clockMs()) - begun) / DEFINITIONS, { max: 50 });
    const discovery = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    yield absolute('custom-resources/discovery', 'ms CPU', await reads('/apis', discovery), { max: 50 });
    yield absolute('custom-resources/openapi-root', 'ms CPU', await reads('/openapi/v3'), { max: 300 });
    yield absolute('custom-resources/openapi-group', 'ms CPU', await reads(`/openapi/v3/apis/${GROUP}/v1`), {
      max: 200,
    });
  } finally {
    await server.close();
  }
}

/** Definitions are established one after the other. */
async function untilServed(url: string, token: string): Promise<void> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  for (;;) {
    const answer = await fetch(`${url}/apis`, { headers: { authorization: `Bearer ${token}`, accept } });
    const served = (await answer.text()).match(/"resource":"kind\d+s"/g) ?? [];
    if (served.length === DEFINITIONS) return;
    await sleep(200);
  }
}

async function* measureObjects(data: string): AsyncIterable<Figure> {
  const server = await startBackline(['--no-sample'], data);
  const url = server.url.replace('http:', 'https:');
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const clockMs = async () => (await cpuSeconds(server.url)) * 1_000;
  const reads = async (path: string) => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const begun = await clockMs();
      await load(url, 1, 1, () => ({ method: 'GET', path, headers, status: 200 }));
      times.push((await clockMs()) - begun);
    }
    return median(times);
  };
  try {
    const begun = await clockMs();
    await load(url, OBJECTS, CLIENTS * 4, (index) => ({
      method: 'POST',
      path: WIDGETS,
      headers,
      body: JSON.stringify(object(index)),
      status: 201,
    }));
    yield absolute('custom-resources/create', 'ms CPU', ((await clockMs()) - begun) / OBJECTS, { max: 0.8 });
    yield absolute('custom-resources/list-50000', 'ms CPU', await reads(WIDGETS), { max: 2_000 });
    const selected = `${WIDGETS}?fieldSelector=spec.color%3Dc7`;
    yield absolute('custom-resources/list-by-field', 'ms CPU', await reads(selected), { max: 30 });
    const watched = `${WIDGETS}?watch=true&timeoutSeconds=1&fieldSelector=spec.color%3Dc7`;
    yield absolute('custom-resources/watch-by-field', 'ms CPU', await reads(watched), { max: 50 });
  } finally {
    await server.close();
  }
}

function definition(index: number): object {
  const group = `g${index % GROUPS}.bench.example`;
  const plural = `kind${index}s`;
  const fields = Object.fromEntries(
    Array.from({ length: FIELDS }, (_, at) => [
      `field${at}`,
      {
        type: 'object',
        description: `The field ${at} of the kind ${index}. ${'It says what it means at some length. '.repeat(4)}`,
        properties: {
          name: { type: 'string', maxLength: 63, default: `n${at}` },
          size: { type: 'integer', minimum: 0, maximum: 1_000 },
        },
      },
    ]),
  );
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { plural, kind: `Kind${index}` },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: { ...fields, color: { type: 'string' }, size: { type: 'integer' } },
                  'x-kubernetes-validations': [{ rule: 'self.size >= 0' }],
                },
                status: { type: 'object', properties: { size: { type: 'integer' } } },
              },
            },
          },
          subresources: { status: {} },
          selectableFields: [{ jsonPath: '.spec.color' }],
        },
      ],
    },
  };
}

/** About a kilobyte. */
function object(index: number): object {
  const annotations = { text: 'x'.repeat(700) };
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'Kind0',
    metadata: { name: `o${index}`, annotations },
    spec: { color: `c${index % COLORS}`, size: index },
  };
}
