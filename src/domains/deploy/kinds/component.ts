import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { LabelSelectorSchema } from '#kernel/kinds/schema/label-selector.ts';
import { hostsOf } from '../rules/program.ts';
import { shortNameProblems } from '../rules/short-name.ts';
import { CLUSTER, CLUSTERS, COMPONENT, GROUP, VERSION } from './identity.ts';

const LIMITS = {
  arguments: 100,
  argumentChars: 4_096,
  variables: 200,
  variableChars: 32_768,
  files: 50,
  fileChars: 262_144,
  fileNameChars: 200,
  hosts: 20,
  replicas: 100,
  title: 200,
} as const;

/** The environment that a replica gets from its cluster. */
const OWN_VARIABLES = /^(PORT|BACKLINE_.*)$/;

const probePath = (description: string) =>
  Type.Optional(Type.String({ pattern: '^/[!-~]*$', maxLength: 1_024, description }));

const ComponentSpecSchema = Type.Object(
  {
    title: Type.Optional(
      Type.String({ minLength: 1, maxLength: LIMITS.title, description: 'The name that people see.' }),
    ),
    workload: Type.Enum(['service', 'worker'], {
      default: 'service',
      description:
        'service: takes HTTP requests at the port that its environment names as PORT. worker: takes none, and is ready while it runs.',
    }),
    command: Type.Array(Type.String({ minLength: 1, maxLength: LIMITS.argumentChars, description: 'A word.' }), {
      minItems: 1,
      maxItems: LIMITS.arguments,
      description: 'The program and its arguments. It runs in a folder of its own, which has the files.',
      'x-kubernetes-list-type': 'atomic',
    }),
    env: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
        Type.String({ maxLength: LIMITS.variableChars }),
        { maxProperties: LIMITS.variables, description: 'Environment variables.' },
      ),
    ),
    files: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$' }),
        Type.String({ maxLength: LIMITS.fileChars }),
        { maxProperties: LIMITS.files, description: 'Files in the folder of each replica, by name.' },
      ),
    ),
    replicas: Type.Integer({
      minimum: 0,
      maximum: LIMITS.replicas,
      default: 1,
      description: 'Replicas in each cluster. Scaling replaces no replica.',
    }),
    hosts: Type.Optional(
      Type.Array(
        Type.String({ pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', maxLength: 253, description: 'A host name.' }),
        {
          minItems: 1,
          maxItems: LIMITS.hosts,
          uniqueItems: true,
          description: 'Hosts whose requests a service gets; absent: NAME.NAMESPACE.localhost.',
          'x-kubernetes-list-type': 'set',
        },
      ),
    ),
    stickyHeader: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9-]+$',
        maxLength: 100,
        description: 'A header, like x-listener: requests with the same value get the same revision during a stage.',
      }),
    ),
    readinessPath: probePath('Answers 200 to 399 while a replica is ready; absent: it accepts connections.'),
    livenessPath: probePath('A ready replica that does not answer here three times in a row is started again.'),
    probeSeconds: Type.Number({ minimum: 0.1, maximum: 60, default: 1, description: 'Time between probes.' }),
    graceSeconds: Type.Integer({
      minimum: 0,
      maximum: 600,
      default: 10,
      description: 'Time between SIGTERM and SIGKILL.',
    }),
    progressSeconds: Type.Integer({
      minimum: 1,
      maximum: 86_400,
      default: 120,
      description: 'A revision whose replicas are not all ready after this time has failed.',
    }),
    clusters: {
      ...LabelSelectorSchema,
      default: {},
      description: 'The clusters that run it, by their labels; an empty selector selects all.',
    },
  },
  { description: 'A program that runs in clusters.' },
);

type ComponentSpec = Static<typeof ComponentSpecSchema>;

export const Component = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Component',
  plural: 'components',
  categories: ['deploy'],
  scope: 'Namespaced',
  released: true,
  names: 'namespace',
  target: CLUSTERS,
  description: 'A component is a program that runs in clusters, in several replicas each.',
  spec: ComponentSpecSchema,
  requires: [{ verb: 'run', kind: CLUSTER }],
  indexes: { host: (spec, name) => hostsOf(name, spec) },
  columns: [
    { name: 'Workload', type: 'string', description: 'Its kind of work.', value: ({ spec }) => spec.workload },
    { name: 'Replicas', type: 'integer', description: 'Replicas in each cluster.', value: ({ spec }) => spec.replicas },
    {
      name: 'Command',
      type: 'string',
      description: 'The program.',
      priority: 1,
      value: ({ spec }) => spec.command.join(' '),
    },
  ],
  validate: (spec, { name }) => [
    ...shortNameProblems(name),
    ...variableProblems(spec),
    ...fileProblems(spec),
    ...workerProblems(spec),
  ],
  check: (spec, world, name) =>
    hostsOf(name, spec).flatMap((host) =>
      world
        .find(COMPONENT, 'host', host)
        .filter((other) => other.name !== name)
        .map((other) => ({
          path: ['spec', 'hosts'],
          reason: 'FieldValueDuplicate' as const,
          detail: `${host} is a host of Component ${other.name}: requests of a host go to one Component`,
        })),
    ),
  describe: (name, { before, after }) => {
    const label = `Component ${after?.title ?? before?.title ?? name}`;
    if (after === undefined) return [`${label} is stopped in all its clusters.`];
    if (before === undefined) return [`New ${label}: ${after.replicas} replicas in each of its clusters.`];
    return describeChange(label, before, after);
  },
  example: {
    name: 'player-api',
    spec: {
      workload: 'service',
      command: ['node', 'server.mjs'],
      files: {
        'server.mjs':
          "import { createServer } from 'node:http';\nimport { env } from 'node:process';\ncreateServer((_, answer) => answer.end('hello')).listen(env.PORT);\n",
      },
      replicas: 2,
      stickyHeader: 'x-listener',
      readinessPath: '/',
      probeSeconds: 1,
      graceSeconds: 10,
      progressSeconds: 120,
      clusters: { matchLabels: { environment: 'production' } },
    },
  },
});

function variableProblems({ env = {} }: ComponentSpec): readonly Problem[] {
  return Object.keys(env)
    .filter((name) => OWN_VARIABLES.test(name))
    .map((name) =>
      problem(['env', name], `a replica gets ${name} from its cluster; PORT and BACKLINE_… cannot be declared`),
    );
}

/** Files that cannot be beside the others, or have too long a name. */
function fileProblems({ files = {} }: ComponentSpec): readonly Problem[] {
  const names = Object.keys(files);
  const folders = new Set(names.flatMap(foldersOf));
  return names.flatMap((name) => [
    ...(folders.has(name) ? [problem(['files', name], `${name} is also a folder of another file`)] : []),
    ...(name.length > LIMITS.fileNameChars
      ? [problem(['files', name], `a name has at most ${LIMITS.fileNameChars} characters`)]
      : []),
  ]);
}

/** The folders above a file: of `a/b/c` these are `a` and `a/b`. */
function foldersOf(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Fields that do nothing without requests. */
function workerProblems(spec: ComponentSpec): readonly Problem[] {
  if (spec.workload !== 'worker') return [];
  return (['hosts', 'stickyHeader', 'readinessPath', 'livenessPath'] as const)
    .filter((field) => spec[field] !== undefined)
    .map((field) => problem([field], 'a worker takes no requests; use workload: service, or leave it out'));
}

function describeChange(label: string, before: ComponentSpec, after: ComponentSpec): readonly string[] {
  const isSame = (field: keyof ComponentSpec): boolean =>
    JSON.stringify(before[field]) === JSON.stringify(after[field]);
  const programs = (['workload', 'command', 'env', 'files'] as const).filter((field) => !isSame(field));
  return [
    ...(programs.length === 0 ? [] : [`${label} gets a new revision: ${programs.join(', ')} changed.`]),
    ...(isSame('replicas') ? [] : [`${label}: ${before.replicas} → ${after.replicas} replicas in each cluster.`]),
    ...(isSame('clusters') ? [] : [`${label} runs in other clusters.`]),
    ...(isSame('hosts') ? [] : [`${label} gets the requests of other hosts.`]),
  ];
}

function problem(path: Path, detail: string): Problem {
  return { path: ['spec', ...path], reason: 'FieldValueInvalid', detail };
}
