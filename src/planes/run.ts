import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '#kernel/base/clock.ts';
import { openLog, type Log, type LogLevel } from '#kernel/base/log.ts';
import { startRefusal } from './refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { EventType } from '#kernel/events/kinds/event-type.ts';
import { simulateListeners } from '#simulation/run.ts';
import type { Effect } from '#simulation/effect.ts';
import { THIS_MACHINE } from '#kernel/outbound/address-policy.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import { allKinds } from './catalogue.ts';
import { MODULES } from './modules.ts';
import type { ControlPlane } from './parts/control.ts';
import { localHost, type AccessOptions, type FirstDeclarations, type Role } from './parts/shared.ts';
import { startBackline, type Running } from './start.ts';

/** As a shell says that Ctrl-C ended a program. */
const INTERRUPTED = 130;
/** The parts of the sample business: of the kernel, and of each module. */
const SAMPLE = resolve(import.meta.dirname, '../../examples/aria');
const SAMPLES = [SAMPLE, join(SAMPLE, 'releases'), ...MODULES.flatMap(({ sample = [] }) => sample)];

export interface RunOptions {
  readonly roles: readonly Role[];
  readonly host: string;
  readonly port: number;
  readonly publicNames?: readonly string[] | undefined;
  readonly data: string;
  readonly trustedProxies?: readonly string[] | undefined;
  readonly historyDays?: number | undefined;
  readonly eventTtlMinutes?: number | undefined;
  readonly databaseUrl?: string | undefined;
  readonly quotaDatabaseUrls?: readonly string[];
  readonly follow?: Connection | undefined;
  readonly access?: AccessOptions;
  /** Declare the sample business when nothing is declared yet. */
  readonly sample: boolean;
  /** Play the app for made-up listeners of the sample business. */
  readonly simulation: boolean;
  readonly datasetsDirectory?: string | undefined;
  readonly rollUpSeconds?: number | undefined;
  /** See `StartOptions`. */
  readonly allowOutbound: readonly string[];
  /** Whether declared objects may reach what else runs on this machine. */
  readonly mayReachThisMachine: boolean;
  /** See `StartOptions`. */
  readonly localRuntime: boolean;
  /** Print nothing but the line that says that it is ready. */
  readonly quiet: boolean;
  readonly logLevel: LogLevel;
}

/**
 * So much may the old generation of the heap grow before all of it is marked again, once the program has started. By itself
 * V8 takes a fifth where little becomes old: a node that decides breaks then marks 325 MB every five seconds.
 */
const HEAP_GROWTH_PERCENT = 50;

/** How long a process that is done may still be held by what did not end. */
const LINGER_MS_MAX = 1_000;

/**
 * Runs until SIGTERM or SIGINT, then stops in order. Prints one line on standard output when everything answers.
 * @returns the exit status: 0 after an ordered stop, 130 when Ctrl-C ended the start, 1 when it could not go on.
 */
export async function run(options: RunOptions): Promise<number> {
  try {
    return await runUntilStopped(options);
  } finally {
    // Whatever still waits for a database that is away must not keep the process: who supervises it starts it again.
    setTimeout(() => process.exit(), LINGER_MS_MAX).unref();
  }
}

async function runUntilStopped(options: RunOptions): Promise<number> {
  const startStopped = new AbortController();
  let interrupted = false;
  const stop = new Promise<'stop'>((done) => {
    // Kept while stopping: npm passes on a signal that a terminal has sent to both, and the second must not cut it short.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        interrupted ||= signal === 'SIGINT';
        startStopped.abort();
        done('stop');
      });
    }
  });
  const log = openLog(options.logLevel);
  const prepare = options.sample ? declareSampleOnce : undefined;
  await keepToOurselves(options.data);
  const starting = startBackline({
    ...options,
    allowOutbound: [...(options.mayReachThisMachine ? THIS_MACHINE : []), ...options.allowOutbound],
    dataDirectory: options.data,
    prepare,
    signal: startStopped.signal,
    log,
  });
  const running = await starting.catch((error: unknown) => {
    if (!startStopped.signal.aborted) throw error;
    return undefined;
  });
  if (running === undefined) return interrupted ? INTERRUPTED : 0;
  const ended = Promise.race([stop, running.failed]);
  const simulation = new AbortController();
  await Promise.race([
    ended,
    becomeReady(running, options).then(() => {
      if (options.simulation && running.control !== undefined) void simulate(running, running.control, simulation, log);
    }),
  ]);
  const why = await ended;
  simulation.abort();
  if (why !== 'stop') log.fatal(why);
  await running.close();
  return why === 'stop' ? 0 : 1;
}

/** Makes files of this process and its children readable for its own user alone. */
async function keepToOurselves(dataDirectory: string): Promise<void> {
  // The embedded PostgreSQL of root runs as another user, which has to get through to its own part.
  await makeFolder(dataDirectory, process.getuid?.() === 0 ? 0o711 : 0o700).catch((error: unknown) => {
    throw startRefusal(
      'no-data-folder',
      `The data folder cannot be made: ${error instanceof Error ? error.message : String(error)}.`,
    );
  });
  process.umask(0o077);
}

async function becomeReady(running: Running, options: RunOptions): Promise<void> {
  const { control, port, kubeconfigFile } = running;
  await control?.releases()?.caughtUp();
  await running.ready;
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const url = `http://${localHost(options.host)}:${port}`;
  const file = relative(process.cwd(), kubeconfigFile);
  const shown = file.startsWith('..') ? kubeconfigFile : file;
  if (!options.quiet) {
    const hints = control === undefined ? [] : isSampleThere(control) ? sampleHints(url, shown) : EMPTY_HINTS;
    process.stderr.write(welcome(url, control === undefined ? undefined : shown, hints));
  }
  const withoutRecords =
    options.databaseUrl === undefined && control === undefined ? ' no-records (no DATABASE_URL)' : '';
  process.stdout.write(`ready ${url}${control === undefined ? '' : ` kubeconfig=${shown}`}${withoutRecords}\n`);
}

function welcome(url: string, kubeconfig: string | undefined, hints: readonly string[]): string {
  const lines = [
    '',
    `  Backline answers at ${url}`,
    ...(kubeconfig === undefined ? [] : [`  kubeconfig          ${kubeconfig}`]),
    ...(hints.length === 0 ? [] : ['', '  Try:', ...hints.map((hint) => `    ${hint}`)]),
    '',
    '  Ctrl-C stops it; what is declared stays.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

/** Commands to try on the sample business. */
function sampleHints(url: string, kubeconfig: string): readonly string[] {
  return [
    `kubectl --kubeconfig ${kubeconfig} get plans,prices -A`,
    `curl '${url}/v1/prices?market=de&plan=premium'`,
    `curl '${url}/v1/check?market=de&plan=free&feature=offline'`,
    `curl ${url}/ofrep/v1/evaluate/flags -d '{"context":{"targetingKey":"you","plan":"free"}}'`,
    `bin/backline sql 'select plan, count(*) as plays from play group by all'`,
    `bin/backline apply -f examples/price-rise && bin/backline release watch`,
  ];
}

const EMPTY_HINTS = ['docs/first-plan.md: your first plan, from nothing to the first denied minute'];

function isSampleThere({ store }: ControlPlane): boolean {
  return store.find(EventType, 'name', 'session').length > 0;
}

const SIMULATION = { listeners: 20_000, seed: 1, sessionsPerSecond: 5 } as const;

/** Plays the app as long as the sample business is there. */
async function simulate(
  { port, token }: Running,
  control: ControlPlane,
  ending: AbortController,
  log: Log,
): Promise<void> {
  if (!isSampleThere(control)) return;
  const unsubscribe = control.store.subscribe(() => {
    if (!isSampleThere(control)) ending.abort();
  });
  const done = await simulateListeners({
    ...SIMULATION,
    connection: { server: `http://127.0.0.1:${port}`, token },
    effects: SAMPLE_EFFECTS,
    clock: systemClock,
    signal: ending.signal,
  });
  unsubscribe();
  log.info(done, 'simulation: ended');
}

/** Effects of the variants of the sample's experiments on its listeners. */
const SAMPLE_EFFECTS: readonly Effect[] = [
  { flag: 'home-layout', variant: 'shelves', on: 'plays', factor: 1.08 },
  { flag: 'upgrade-banner', variant: 'trial', on: 'subscriptions', factor: 2 },
  { flag: 'upgrade-banner', variant: 'price', on: 'subscriptions', factor: 1.3 },
];

/** Says that the sample was declared: who clears it away on purpose does not get it back. */
const SAMPLE_MARK = {
  apiVersion: ConfigMap.apiVersion,
  kind: ConfigMap.kind,
  metadata: { namespace: SYSTEM_NAMESPACE, name: 'sample' },
  data: { declared: 'true' },
};

async function declareSampleOnce(control: FirstDeclarations): Promise<void> {
  const { store } = control;
  const declared = allKinds().all.some((kind) => kind.released && store.count(kind) > 0);
  const mark = store.get(ConfigMap, SYSTEM_NAMESPACE, SAMPLE_MARK.metadata.name);
  if (declared || mark !== undefined) return;
  const manifests = await Promise.all(SAMPLES.map(manifestsIn));
  const objects = [SAMPLE_MARK, ...manifests.flat()];
  await control.changeSets(
    { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: { name: 'sample' }, spec: { objects } },
    {
      user: { name: 'system:sample', groups: [] },
      author: { user: 'system:sample', requestId: 'sample' },
      dryRun: false,
      namespace: undefined,
      name: undefined,
    },
  );
}

async function manifestsIn(folder: string): Promise<readonly unknown[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => decodeManifests(text).map(({ value }) => value));
}
