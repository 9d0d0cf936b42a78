import { verbOfPath } from '#kernel/access/authorization/path-access.ts';
import { propertiesOf } from './question-input.ts';
import type { DecisionModule, DecisionRoute } from './module.ts';

/** Operations at one path, by method, as OpenAPI writes them; without ids, and without what every operation has. */
export interface DescribedPath {
  readonly path: string;
  readonly tag: string;
  /** The input in the last part of the path and its schema, where that is not the key of a flag. */
  readonly pathInput?: { readonly name: string; readonly schema: object };
  readonly operations: Readonly<Record<string, object>>;
}

/** How who asks is proved: see docs/apps.md. */
const SECURITY_SCHEMES = {
  key: {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of a Client (bk_…), or the token of a user.',
  },
  subjectToken: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Subject-Token',
    description: 'With the key of a publishable Client: a JWT about the listener, signed by the backend of the app.',
  },
} as const;

const text = { type: 'string' } as const;
const problemsOf = {
  type: 'array',
  items: {
    type: 'object',
    required: ['pointer', 'detail'],
    properties: { pointer: { ...text, description: 'Where: a JSON pointer.' }, detail: text },
  },
} as const;

/** Problem details, see `sendProblem`. */
const PROBLEM = {
  type: 'object',
  description: 'What was wrong, where, and what would be right (RFC 9457).',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { ...text, description: 'A URN that ends with the code.' },
    title: text,
    status: { type: 'integer' },
    detail: { ...text, description: 'A sentence for people.' },
    code: { ...text, description: 'For programs: it does not change.' },
    pointer: { ...text, description: 'Where in the input: a JSON pointer.' },
    errors: { ...problemsOf, description: 'Each of the things that are wrong.' },
    remedy: { ...text, description: 'What would be right.' },
    requestId: { ...text, description: 'As in the log.' },
  },
} as const;

/** Of every answer from a snapshot. */
const SNAPSHOT = {
  type: 'object',
  description: 'What it was answered from.',
  required: ['version', 'ageSeconds'],
  properties: {
    version: text,
    ageSeconds: { type: 'integer' },
    releases: { type: 'array', items: text, description: 'The releases under way whose changes are in the answer.' },
  },
} as const;

/** Of answers that say why. */
const RELEASES = {
  type: 'array',
  description: 'The releases under way that concern the answer, and whether this listener is in their cohorts.',
  items: {
    type: 'object',
    required: ['name', 'revision', 'seen', 'says'],
    properties: { name: text, revision: text, seen: { type: 'boolean' }, says: text },
  },
} as const;

/** OpenAPI 3.1 of everything that applications ask and send. */
export function decisionOpenApi(
  modules: readonly DecisionModule<unknown>[],
  others: readonly DescribedPath[],
  version: string,
): object {
  const described = [
    ...modules.flatMap(({ name, routes, protocols = [] }) => [
      ...routes.map((route) => ({
        path: route.path,
        tag: name,
        operations: operationsOf(route),
        ...pathInputOf(route),
      })),
      ...protocols.map(({ path, openApi }) => ({ path, tag: name, operations: openApi })),
    ]),
    ...others,
  ];
  return {
    openapi: '3.1.0',
    info: {
      title: 'Backline',
      version,
      description:
        'Questions of applications, and the events that they send. The header X-Request-Timeout-Ms sets a deadline: 504.',
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }, { key: [], subjectToken: [] }],
    tags: [...new Set(described.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: Object.fromEntries(
      described.map((one) => [
        one.path.replace('*', `{${keyOf('pathInput' in one ? one.pathInput : undefined)}}`),
        pathItem(one),
      ]),
    ),
    components: {
      securitySchemes: SECURITY_SCHEMES,
      schemas: { Problem: PROBLEM, Snapshot: SNAPSHOT },
      responses: {
        Problem: {
          description: 'What was wrong, where, and what would be right.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function keyOf(pathInput: DescribedPath['pathInput']): string {
  return pathInput?.name ?? 'key';
}

function pathItem({ path, tag, operations, pathInput }: DescribedPath): object {
  const key =
    pathInput === undefined
      ? { name: 'key', in: 'path', required: true, schema: text, description: 'The key of the flag.' }
      : { ...pathInput, in: 'path', required: true };
  return {
    ...(path.includes('*') ? { parameters: [key] } : {}),
    ...Object.fromEntries(
      Object.entries(operations).map(([method, operation]) => {
        const { responses } = operation as { readonly responses?: object };
        const problem = { default: { $ref: '#/components/responses/Problem' } };
        const head = { operationId: operationId(method, path, keyOf(pathInput)), tags: [tag] };
        return [method, { ...head, ...operation, responses: { ...responses, ...problem } }];
      }),
    ),
  };
}

/** `post /v1/subscriptions/plan` is `postSubscriptionsPlan`. */
function operationId(method: string, path: string, key: string): string {
  const words = path.split(/[^a-z0-9]+/i).filter((word) => word !== '' && !/^v\d+$/.test(word));
  const named = path.endsWith('*') ? [...words, key] : words;
  return method + named.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function pathInputOf({ input, pathInput }: DecisionRoute<unknown>): Pick<DescribedPath, 'pathInput'> {
  const schema = pathInput === undefined ? undefined : propertiesOf(input)[pathInput];
  return pathInput === undefined || schema === undefined ? {} : { pathInput: { name: pathInput, schema } };
}

function operationsOf(route: DecisionRoute<unknown>): DescribedPath['operations'] {
  const { summary, input, answer, access, explains, pathInput, documentType, presentedType } = route;
  const snapshot = { $ref: '#/components/schemas/Snapshot' };
  const added = explains === true ? { snapshot, releases: RELEASES } : { snapshot };
  const schema = { allOf: [answer, { properties: added }] };
  const content = {
    ...(documentType === undefined
      ? { 'application/json': { schema } }
      : { [documentType]: { schema: { type: 'string' } } }),
    ...(presentedType === undefined ? {} : { [presentedType]: { schema: { type: 'string' } } }),
  };
  const shared = { summary, responses: { 200: { description: 'The answer.', content } } };
  const post = { ...shared, requestBody: { required: true, content: { 'application/json': { schema: input } } } };
  const required = new Set((input as { required?: string[] }).required ?? []);
  const parameters = Object.entries(propertiesOf(input)).flatMap(([name, schema]) =>
    name === pathInput ? [] : { name, in: 'query', required: required.has(name), schema },
  );
  if (pathInput !== undefined) return { get: { ...shared, parameters }, post: { ...shared, parameters } };
  if (verbOfPath(access) === 'post') return { post };
  return { get: { ...shared, parameters }, post };
}
