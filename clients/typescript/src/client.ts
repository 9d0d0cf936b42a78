import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import type { Context } from '#kernel/audiences/language.ts';
import type { StreamLine } from '#kernel/snapshots/stream.ts';
import { check as checkFeature } from '#domains/products/decisions/check.ts';
import { entitlements as listEntitlements } from '#domains/products/decisions/entitlements.ts';
import type { CompiledFlag, Outcome } from '#domains/experience/decisions/table.ts';
import type { BacklineOptions, FlagDetails, Status } from '../package/types/index.d.ts';
import { EventQueue } from './event-queue.ts';
import { ExposureLog } from './exposure-log.ts';
import { followStream } from './follow.ts';
import { fetchTransport, type Transport } from './transport.ts';
import { LocalWorld, type LocalSnapshot } from './world.ts';

const LIMITS = {
  readyMsDefault: 5_000,
  closeMsDefault: 2_000,
  /** How long a flag may take whose variant is on record at the server. */
  askMsMax: 2_000,
  /** What is kept for a start without the server is written at most so often. */
  keepMs: 1_000,
} as const;

export type PlanQuestion = Parameters<typeof listEntitlements>[1];
export type FeatureQuestion = Parameters<typeof checkFeature>[1];

/**
 * Follows what is live and answers from memory, with the code of the decision plane itself. When the server is away it
 * goes on answering; events wait until it is back.
 */
export class Backline {
  readonly #world = new LocalWorld();
  readonly #transport: Transport;
  readonly #queue: EventQueue;
  readonly #exposures: ExposureLog;
  readonly #options: BacklineOptions;
  readonly #warn: (message: string) => void;
  readonly #stopping = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  readonly #following: Promise<void>;
  #lostAtMs: number | undefined = performance.now();
  #problem: string | undefined = 'not connected yet';
  /** The world moved on without a snapshot of it: the next line must be everything. */
  #behind = false;
  #keeping: NodeJS.Timeout | undefined;

  constructor(options: BacklineOptions) {
    this.#options = options;
    this.#warn = options.warn ?? ((message) => console.warn(`backline: ${message}`));
    this.#transport = fetchTransport(options.url, options.key);
    this.#queue = new EventQueue(this.#transport, this.#warn);
    this.#exposures = new ExposureLog(this.#queue, options.exposureType ?? 'exposure');
    this.#following = this.#start();
  }

  /** Resolves when there is something to answer from; rejects when there is nothing after `ms`. */
  async ready(ms: number = LIMITS.readyMsDefault): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        late.reject(new Error(`Backline at ${this.#options.url} gave no snapshot in ${ms} ms: ${this.#problem ?? ''}`)),
      ms,
    );
    await Promise.race([this.#first.promise, late.promise]).finally(() => clearTimeout(timer));
  }

  get status(): Status {
    return {
      snapshot: this.#world.snapshot?.version,
      connected: this.#lostAtMs === undefined,
      ageMs: this.#lostAtMs === undefined ? 0 : performance.now() - this.#lostAtMs,
      problem: this.#problem,
      events: this.#queue.counts,
    };
  }

  /**
   * The value of a flag, for use right now: who uses it is exposed to it, and that is logged. The default where there is
   * no value, or none of its type. Flags whose variants are on record are asked of the server: see `details`.
   */
  flag(key: string, fallback: boolean, context: Context): boolean;
  flag(key: string, fallback: string, context: Context): string;
  flag(key: string, fallback: number, context: Context): number;
  flag<Value extends object>(key: string, fallback: Value, context: Context): Value;
  flag(key: string, fallback: unknown, context: Context): unknown {
    const details = this.details(key, context);
    if (details.value === undefined || typeof details.value !== typeof fallback) return fallback;
    this.expose(details, context);
    return details.value;
  }

  /** The same with the reason, and without exposing anybody: call `expose` when it is used. */
  details(key: string, context: Context): FlagDetails {
    const found = this.#find(key, context);
    if ('reason' in found) return found;
    if (needsRecord(found.snapshot, found.flag)) {
      const message = `Variants of "${key}" are on record at the server: ask with detailsOnRecord.`;
      return failed(key, 'GENERAL', message, found.snapshot);
    }
    return detailsOf(found.flag.decide(questionOf(context), found.snapshot.experience.flags), found.snapshot);
  }

  /** The same for any flag: those whose variants are on record are asked of the server. */
  async detailsOnRecord(key: string, context: Context): Promise<FlagDetails> {
    const found = this.#find(key, context);
    if ('reason' in found) return found;
    if (!needsRecord(found.snapshot, found.flag)) return this.details(key, context);
    try {
      const path = `/ofrep/v1/evaluate/flags/${encodeURIComponent(key)}`;
      const answer = await this.#transport.post(
        path,
        JSON.stringify({ context }),
        AbortSignal.timeout(LIMITS.askMsMax),
      );
      return ofrepDetails(key, answer.text, found.snapshot);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return failed(
        key,
        'GENERAL',
        `Variants of "${key}" are on record at the server, which cannot be asked: ${why}`,
        found.snapshot,
      );
    }
  }

  /** Every flag that can be decided here, for instance to hand them to a page. Exposes nobody. */
  all(context: Context): FlagDetails[] {
    const { snapshot } = this.#world;
    return (snapshot?.experience.inOrder ?? []).map(({ key }) => this.details(key, context));
  }

  /** Logs that somebody was shown a variant. Only what an experiment, a holdout or a split decided is worth it. */
  expose(details: FlagDetails, context: Context): void {
    this.#exposures.add(details, context);
  }

  /** What a plan gives; as `/v1/entitlements`. Throws Refusal for names that there are not. */
  entitlements(question: PlanQuestion): ReturnType<typeof listEntitlements> {
    return listEntitlements(this.#products(), question);
  }

  /** Whether a plan gives a feature; as `/v1/check`. Throws Refusal for names that there are not. */
  check(question: FeatureQuestion): ReturnType<typeof checkFeature> {
    return checkFeature(this.#products(), question, Temporal.Now.instant());
  }

  /** Queues an event. */
  track(type: string, subject: string | undefined, properties: Readonly<Record<string, unknown>> = {}): void {
    this.#queue.add({
      type,
      id: randomUUID(),
      at: new Date().toISOString(),
      ...(subject === undefined ? {} : { subject }),
      properties,
    });
  }

  /** Sends what is queued now. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** Stops following, and sends what is queued, for as long as `ms` at most. */
  async close(ms: number = LIMITS.closeMsDefault): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#keeping);
    await Promise.all([this.#queue.close(ms), this.#following]);
  }

  async #start(): Promise<void> {
    await loadTemporal();
    await this.#recall();
    await followStream({
      transport: this.#transport,
      version: () => (this.#behind ? undefined : this.#world.snapshot?.version),
      take: (line) => this.#take(line),
      connected: () => {
        this.#lostAtMs = undefined;
        this.#problem = undefined;
      },
      lost: (why) => {
        if (this.#lostAtMs === undefined) this.#warn(`lost the server, answering from the last snapshot: ${why}`);
        this.#lostAtMs ??= performance.now();
        this.#problem = why;
      },
      signal: this.#stopping.signal,
    });
  }

  #take(line: StreamLine): void {
    try {
      this.#world.take(line);
      this.#behind = false;
    } catch (error) {
      this.#behind = true;
      throw new Error(`version ${line.version} cannot be compiled by this version of the client`, { cause: error });
    }
    if (line.type === 'alive') return;
    this.#first.resolve();
    this.#keepSoon();
    this.#options.changed?.();
  }

  #find(key: string, context: Context): { flag: CompiledFlag; snapshot: LocalSnapshot } | FlagDetails {
    const { snapshot } = this.#world;
    if (snapshot === undefined)
      return failed(key, 'PROVIDER_NOT_READY', `There is no snapshot yet: ${this.#problem ?? ''}`, undefined);
    const flag = snapshot.experience.flags.get(key);
    if (flag === undefined) return failed(key, 'FLAG_NOT_FOUND', `There is no flag "${key}".`, snapshot);
    const [problem] = contextProblems(context, snapshot.experience.audiences.attributes);
    if (problem === undefined) return { flag, snapshot };
    return failed(key, 'INVALID_CONTEXT', `${problem.path.join('.')}: ${problem.detail}`, snapshot);
  }

  #products(): LocalSnapshot['products'] {
    const { snapshot } = this.#world;
    if (snapshot === undefined) throw new Error(`Backline has no snapshot yet: ${this.#problem ?? ''}`);
    return snapshot.products;
  }

  async #recall(): Promise<void> {
    const { cacheFile } = this.#options;
    if (cacheFile === undefined) return;
    try {
      this.#take(JSON.parse(await readFile(cacheFile, 'utf8')) as StreamLine);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#warn(`${cacheFile} cannot be used: ${String(error)}`);
    }
  }

  #keepSoon(): void {
    const { cacheFile } = this.#options;
    if (cacheFile === undefined || this.#keeping !== undefined || this.#stopping.signal.aborted) return;
    this.#keeping = setTimeout(() => {
      this.#keeping = undefined;
      const { snapshot } = this.#world;
      if (snapshot === undefined) return;
      const line: StreamLine = { type: 'all', version: snapshot.version, objects: this.#world.objects() };
      writeFile(`${cacheFile}.new`, JSON.stringify(line), { mode: 0o600 })
        .then(() => rename(`${cacheFile}.new`, cacheFile))
        .catch((error: unknown) => this.#warn(`${cacheFile} cannot be written: ${String(error)}`));
    }, LIMITS.keepMs);
    this.#keeping.unref();
  }
}

function needsRecord({ experience }: LocalSnapshot, { sticky, requires }: CompiledFlag): boolean {
  return sticky.length > 0 || (requires && experience.sticky.length > 0);
}

function questionOf(context: Context): Parameters<CompiledFlag['decide']>[0] {
  return { context, nowMs: Date.now(), random: Math.random, kept: NONE };
}

const NONE: ReadonlyMap<string, string> = new Map();

function detailsOf(outcome: Outcome, { version }: LocalSnapshot): FlagDetails {
  const { flag, value, variant, reason, rule, experiment, holdout, revision, error } = outcome;
  return {
    key: flag,
    value,
    variant,
    reason,
    revision,
    snapshot: version,
    ...(error === undefined ? {} : { errorCode: error.code, errorMessage: error.message }),
    ...(rule === undefined ? {} : { rule }),
    ...(experiment === undefined ? {} : { experiment: experiment.name, assignmentId: experiment.assignmentId }),
    ...(holdout === undefined ? {} : { holdout }),
  };
}

function ofrepDetails(key: string, text: string, snapshot: LocalSnapshot): FlagDetails {
  const answer = JSON.parse(text) as {
    value?: unknown;
    variant?: string;
    reason?: FlagDetails['reason'];
    errorDetails?: string;
    metadata?: Record<'rule' | 'experiment' | 'assignmentId' | 'holdout' | 'revision' | 'snapshot', string>;
  };
  if (answer.reason === undefined) return failed(key, 'GENERAL', answer.errorDetails ?? text.slice(0, 300), snapshot);
  return { key, value: answer.value, variant: answer.variant, reason: answer.reason, ...answer.metadata };
}

function failed(
  key: string,
  errorCode: NonNullable<FlagDetails['errorCode']>,
  errorMessage: string,
  snapshot: LocalSnapshot | undefined,
): FlagDetails {
  return {
    key,
    value: undefined,
    variant: undefined,
    reason: 'ERROR',
    errorCode,
    errorMessage,
    ...(snapshot === undefined ? {} : { snapshot: snapshot.version }),
  };
}

/** Prices and times need Temporal, which Node.js has from version 26 on. */
async function loadTemporal(): Promise<void> {
  if ('Temporal' in globalThis) return;
  await import('temporal-polyfill/global').catch(() => {
    throw new Error('This version of Node.js has no Temporal: install temporal-polyfill beside @backline/node.');
  });
}
