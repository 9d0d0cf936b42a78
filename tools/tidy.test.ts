import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { importCycles, sourceFiles, type SourceFile } from './imports.ts';

/** The kernel's folders in the order in which they are read: each may import only those before it. */
const KERNEL = [
  'base',
  'statistics',
  'http',
  'outbound',
  'postgres',
  'kinds',
  'cel',
  'managed-fields',
  'store',
  'api',
  'access',
  'definitions',
  'controllers',
  'audiences',
  'snapshots',
  'releases',
  'admission',
  'quotas',
  'events',
  'modules',
];

/** Imports of the command line from other folders: it speaks only to the API, so it knows its protocol and nothing else. */
const CLI_MAY_IMPORT = [
  /^src\/kernel\/base\//,
  /^src\/kernel\/api\/(codec|client)\//,
  /^src\/planes\/(run|backup)\.ts$/,
  // Types of answers.
  /^src\/kernel\/releases\/kinds\/(change-answer|draft-answer)\.ts$/,
  // The words for the parts of a stage, pure.
  /^src\/kernel\/releases\/kinds\/stages-text\.ts$/,
  // A pure translation of files, which needs no server.
  /^src\/domains\/experience\/importers\//,
  // The SELECT of a report, pure: of all accounts it is posted as a Query.
  /^src\/domains\/ads\/rules\/report-sql\.ts$/,
  /^src\/simulation\//,
];

/** Imports of the simulated listeners: they are outside, and speak only to the API. */
const SIMULATION_MAY_IMPORT = [/^src\/simulation\//, /^src\/kernel\/base\//, /^src\/kernel\/api\/client\//];

/** Folders in which nothing may touch the outside: what they do follows from their arguments alone. */
const PURE = [
  /^src\/domains\/[^/]+\/(kinds|rules|decisions)\//,
  /^src\/kernel\/statistics\//,
  /^src\/kernel\/quotas\/rules\//,
  /^src\/kernel\/audiences\/(language|kinds|index|bucketing)\//,
  /^src\/kernel\/kinds\/(schema|patch)\//,
  /^src\/kernel\/managed-fields\//,
  /^src\/kernel\/releases\/(kinds|rules)\//,
  /^src\/kernel\/access\/(kinds|rules)\//,
  /^src\/kernel\/admission\/(kinds|rules)\//,
  /^src\/kernel\/definitions\/(kinds|rules)\//,
  /^src\/kernel\/cel\/(?!testing)/,
];
/** Hashes and comparisons follow from their arguments too. */
const PURE_OF_NODE = new Set(['node:crypto', 'node:util']);
const IMPURE =
  /\b(Date\.now|new Date\(\)|Math\.random|Temporal\.Now|performance\.now|randomUUID|setTimeout|setInterval|fetch\(|await\b|process\.)/;

/** Files that open connections: to clients of ours, to API servers of the configuration, and the door for all else. */
const SPEAKING = new Set([
  'src/kernel/http/server.ts',
  'src/kernel/api/client/http.ts',
  'src/kernel/outbound/outbound.ts',
  'src/kernel/outbound/send-request.ts',
  // The local runtime: replicas, their proxy and their agent, all of this machine.
  'src/domains/deploy/local-cluster/agent.ts',
  'src/domains/deploy/local-cluster/local-agent.ts',
  'src/domains/deploy/local-cluster/probe.ts',
  'src/domains/deploy/local-cluster/proxy.ts',
  'src/domains/deploy/local-cluster/replica.ts',
]);

/**
 * Files that run programs. Which ones, and their arguments, follows from no declared object; but for the local runtime, which the
 * configuration has to allow.
 */
const RUNNING = new Set([
  'src/kernel/events/datasets/roll.ts',
  'src/kernel/events/datasets/run-job.ts',
  'src/kernel/postgres/account.ts',
  'src/kernel/postgres/binaries.ts',
  'src/kernel/postgres/embedded.ts',
  'src/kernel/postgres/postmaster.ts',
  'src/domains/deploy/local-cluster/local-agent.ts',
  'src/domains/deploy/local-cluster/process-identity.ts',
  'src/domains/deploy/local-cluster/replica.ts',
]);

/** The client of API servers, and who gets the address of one: from the configuration, never from an object. */
const API_CLIENT = 'src/kernel/api/client/http.ts';
const ASKING_SERVERS = /^src\/(cli|planes|simulation)\/|^src\/kernel\/access\/authentication\/oidc\.ts$/;

const CONNECTING =
  /^import (?!type\b)(.*) from '(?:node:(?:http|https|http2|net|tls|dgram|dns|dns\/promises)|undici)'/gm;

function speaksToOthers({ text }: SourceFile): boolean {
  // Looking at an address opens nothing.
  const imported = [...text.matchAll(CONNECTING)].map(([, names]) => names);
  return imported.some((names) => names !== '{ isIP }') || /\bfetch\(|createRemoteJWKSet/.test(text);
}

const all = await sourceFiles(['src', 'clients', 'tests', 'tools', 'bench', 'examples']);
const isTest = ({ path }: SourceFile) => path.endsWith('.test.ts') || /^tests\/|\/testing\//.test(path);
const product = all.filter((file) => file.path.startsWith('src/') && !isTest(file));

function mayImport(from: string, to: string): boolean {
  const [, area = '', folder = ''] = from.split('/');
  const [, otherArea = '', otherFolder = ''] = to.split('/');
  switch (area) {
    case 'kernel':
      if (to === 'package.json') return from === 'src/kernel/base/version.ts';
      return (
        otherArea === 'kernel' && KERNEL.includes(otherFolder) && KERNEL.indexOf(otherFolder) <= KERNEL.indexOf(folder)
      );
    case 'domains':
      return otherArea === 'kernel' || (otherArea === 'domains' && otherFolder === folder);
    case 'planes':
      return otherArea === 'domains'
        ? from === 'src/planes/modules.ts' && /^src\/domains\/[^/]+\/module\.ts$/.test(to)
        : ['kernel', 'planes', 'simulation'].includes(otherArea);
    case 'cli':
      return otherArea === 'cli' || CLI_MAY_IMPORT.some((allowed) => allowed.test(to));
    case 'simulation':
      return SIMULATION_MAY_IMPORT.some((allowed) => allowed.test(to));
    case 'main.ts':
      return otherArea === 'cli';
    default:
      return false;
  }
}

test('kernel knows no domain, no domain knows another, and only planes wire them', () => {
  const wrong = product.flatMap((file) =>
    file.imports.filter((to) => !mayImport(file.path, to)).map((to) => `${file.path} imports ${to}`),
  );
  assert.deepEqual(wrong, []);
});

test('every folder of the kernel is in the reading order', () => {
  const folders = new Set(
    product.map(({ path }) => /^src\/kernel\/([^/]+)\//.exec(path)?.[1]).filter((name) => name !== undefined),
  );
  assert.deepEqual(
    [...folders].filter((name) => !KERNEL.includes(name)),
    [],
  );
});

test('nothing imports in a circle, types included', () => {
  assert.deepEqual(importCycles(all), []);
});

test('the circle finder finds circles', () => {
  const file = (path: string, ...imports: string[]): SourceFile => ({ path, imports, packages: [], text: '' });
  assert.deepEqual(importCycles([file('a', 'b'), file('b', 'c'), file('c', 'b'), file('d', 'a')]), [['b', 'c']]);
});

test('no two folders import each other: they would be one room in two', () => {
  const edges = new Set(
    product.flatMap(({ path, imports }) =>
      // A registry of refusals imports the base alone: it joins no rooms.
      imports
        .filter((to) => to.startsWith('src/') && !to.endsWith('/refusals.ts'))
        .map((to) => `${dirname(path)} <-> ${dirname(to)}`),
    ),
  );
  const mutual = [...edges].filter((edge) => {
    const [from = '', to = ''] = edge.split(' <-> ');
    return from < to && edges.has(`${to} <-> ${from}`);
  });
  assert.deepEqual(mutual, []);
});

test('a folder that calls itself pure touches nothing outside', () => {
  const wrong = product
    .filter(({ path }) => PURE.some((folder) => folder.test(path)))
    .flatMap(({ path, text, packages }) => [
      ...packages
        .filter((name) => name.startsWith('node:') && !PURE_OF_NODE.has(name))
        .map((name) => `${path} imports ${name}`),
      ...text
        .split('\n')
        .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line) && IMPURE.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    ]);
  assert.deepEqual(wrong, []);
});

test('an internal folder is used only by its neighbours', () => {
  const wrong = all.flatMap(({ path, imports }) =>
    imports
      .filter((to) => to.includes('/internal/') && !path.startsWith(to.slice(0, to.indexOf('/internal/'))))
      .map((to) => `${path} imports ${to}`),
  );
  assert.deepEqual(wrong, []);
});

test('only the door to SQL knows the driver', () => {
  const wrong = product.filter(
    ({ path, packages }) => packages.includes('pg') && path !== 'src/kernel/postgres/database.ts',
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('a host that an object names is reached through one door, and no program of it is run', () => {
  const wrong = product.flatMap((file) => [
    ...(speaksToOthers(file) && !SPEAKING.has(file.path) ? [`${file.path} opens connections`] : []),
    ...(file.packages.includes('node:child_process') && !RUNNING.has(file.path) ? [`${file.path} runs programs`] : []),
    ...(file.imports.includes(API_CLIENT) && !ASKING_SERVERS.test(file.path) ? [`${file.path} asks API servers`] : []),
  ]);
  assert.deepEqual(wrong, []);
});

test('no file only re-exports, and nothing is left to be done later', () => {
  const barrels = product.filter(({ text }) => /^export\s+(\*|\{[^}]*\})\s+from/m.test(text)).map(({ path }) => path);
  const later = all
    .filter(({ path, text }) => path !== 'tools/tidy.test.ts' && /\b(TODO|FIXME|XXX)\b/.test(text))
    .map(({ path }) => path);
  assert.deepEqual({ barrels, later }, { barrels: [], later: [] });
});

// V8 keeps a hidden class, and with it the closure, for each object literal with an accessor until a full collection.
test('no object of a request has an accessor of its own', () => {
  const made = product
    .filter(({ path }) => /^src\/(kernel\/(http|access|audiences|snapshots|quotas|events)|domains)\//.test(path))
    .flatMap(({ path, text }) => [...text.matchAll(/^ {4,}get (\w+)\(\)/gm)].map(([, name]) => `${path}: ${name}`));
  assert.deepEqual(made, [], 'use a class, or pass the object that has the accessor');
});

test('a stored spec or status gets its type from the schema of its kind, and from nowhere else', () => {
  const may = [
    'src/kernel/kinds/schema/read-typed.ts',
    // Bundled for programs of others, without schemas: the two schemas that it reads by have no defaults.
    'src/kernel/audiences/compile-audience.ts',
  ];
  const casts = product
    .filter(({ path }) => !may.includes(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .filter((line) => /\b(spec|status)\b( \?\? \{\})?\)? as [A-Z{]/.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
  assert.deepEqual(casts, []);
});
