import assert from 'node:assert/strict';
import { type Answer, type World } from './backline.ts';
import { until, type Json } from './installation.ts';

export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const RELEASES = '/apis/releases.backline.dev/v1/releases';
export const HEADS = '/apis/releases.backline.dev/v1/heads';
export const POLICIES = '/apis/releases.backline.dev/v1/releasepolicies';
export const WIDGETS = '/apis/stock.example/v1/namespaces/default/widgets';
const RELEASED = 'releases.backline.dev/released';
export const MERGE = { 'content-type': 'application/merge-patch+json' };

export interface Shape {
  readonly plural?: string;
  readonly kind?: string;
  readonly group?: string;
  readonly scope?: 'Cluster' | 'Namespaced';
  readonly released?: string | undefined;
  readonly spec?: object;
  readonly version?: object;
}

export function definition(shape: Shape = {}) {
  const {
    plural = 'widgets',
    kind = 'Widget',
    group = 'stock.example',
    scope = 'Namespaced',
    released = 'true',
  } = shape;
  const annotations = released === '' ? {} : { [RELEASED]: released };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, annotations },
    spec: { group, names: { plural, kind }, scope, versions: [versionOf(shape)] },
  };
}

export function versionOf({ spec = { size: { type: 'integer', minimum: 1 } }, version = {} }: Shape) {
  return {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        required: ['spec'],
        properties: { spec: { type: 'object', properties: spec } },
      },
    },
    subresources: { status: {} },
    ...version,
  };
}

export const widget = (name: string, size: number, labels: object = {}, more: object = {}) => ({
  apiVersion: 'stock.example/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'default', labels },
  spec: { size, ...more },
});

export const policy = (spec: object = {}) => ({
  apiVersion: 'releases.backline.dev/v1',
  kind: 'ReleasePolicy',
  metadata: { name: 'careful' },
  spec: {
    selector: { kinds: ['Widget'] },
    stages: [
      { name: 'few', listeners: { percent: 10 }, soak: 'PT1S' },
      { name: 'all', listeners: { percent: 100 }, soak: 'PT1S' },
    ],
    ...spec,
  },
});

/** Stages that nothing leaves during a test. */
export const SLOW = [
  { name: 'few', listeners: { percent: 10 }, soak: 'PT10M' },
  { name: 'all', listeners: { percent: 100 } },
];

/** Requests of tests. */
export function deskOf({ call }: Pick<World, 'call'>) {
  const request = async (method: string, path: string, body?: object, headers = {}): Promise<Json> => {
    const answer = await call(method, path, { body, headers });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
    return answer.json;
  };
  const conditionOf = async (path: string, type: string): Promise<Json> =>
    (await call('GET', path)).json.status?.conditions?.find((one: Json) => one.type === type);
  const becomes = async (path: string, type: string, reason: string | undefined): Promise<Json> => {
    let last: Json;
    return until(
      async () => {
        last = await conditionOf(path, type);
        return last?.reason === reason ? (last ?? true) : undefined;
      },
      () => `${type} of ${path} to be ${reason}; it is ${JSON.stringify(last)}`,
      20,
    );
  };
  const headOf = async (name: string): Promise<Json> => {
    const answer = await call('GET', `${HEADS}/${name}`);
    return answer.status === 404 ? undefined : answer.json.spec;
  };
  const sizesOf = async (name: string, place = `widgets.stock.example.default.${name}`) => {
    const head = await headOf(place);
    return head?.live.map(({ release, spec }: Json) => [release === undefined ? 'everyone' : 'cohort', spec?.size]);
  };
  return {
    request,
    conditionOf,
    becomes,
    headOf,
    sizesOf,
    define: async (shape: Shape = {}) => {
      const made = await request('POST', DEFINITIONS, definition(shape));
      const reason = shape.released === '' ? undefined : 'Released';
      await becomes(`${DEFINITIONS}/${made.metadata.name}`, 'Established', 'InitialNamesAccepted');
      await becomes(`${DEFINITIONS}/${made.metadata.name}`, 'Released', reason);
    },
    /** Changes the annotation. */
    annotate: (released: string | null, name = 'widgets.stock.example'): Promise<Answer> =>
      call('PATCH', `${DEFINITIONS}/${name}`, {
        body: { metadata: { annotations: { [RELEASED]: released } } },
        headers: MERGE,
      }),
    change: (path: string, body: object): Promise<Answer> => call('PATCH', path, { body, headers: MERGE }),
    live: (name: string) => becomes(`${WIDGETS}/${name}`, 'Live', 'Released'),
    releases: async (): Promise<Json[]> => (await request('GET', RELEASES)).items,
    command: (name: string, verb: string, spec: object = {}): Promise<Answer> =>
      call('POST', `${RELEASES}/${name}/${verb}`, {
        body: { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseCommand', metadata: {}, spec },
      }),
    phase: (name: string, wanted: string) =>
      until(
        async () => ((await request('GET', `${RELEASES}/${name}`)).status.phase === wanted ? true : undefined),
        () => `${name} to be ${wanted}`,
        30,
      ),
  };
}
