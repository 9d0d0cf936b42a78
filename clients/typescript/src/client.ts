import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import type { Context } from '#kernel/audiences/language/language.ts';
import { deepFreeze } from '#kernel/base/deep-freeze.ts';
import type { StreamLine } from '#kernel/snapshots/stream-log.ts';
import { check as checkFeature } from '#domains/products/decisions/check.ts';
import { entitlements as listEntitlements } from '#domains/products/decisions/entitlements.ts';
import { REVISION_CHARS } from '#domains/experience/decisions/outcome.ts';
import type { CompiledFlag, Outcome } from '#domains/experience/decisions/table.ts';
import { wrongSaid, wrongValues } from '#domains/experience/decisions/wrong-values.ts';
import type {
  Backline as Declared,
  BacklineOptions,
  Context as DeclaredContext,
  FlagDetails,
  Status,
} from '../package/types/index.d.ts';
import { EventQueue } from './event-queue.ts';
import { ExposureLog } from './exposure-log.ts';
import { followStream, linesOf } from './follow.ts';
import { fetchTransport, type Transport } from './transport.ts';
import { LocalWorld, type LocalSnapshot } from './world.ts';

const LIMITS = {
  readyMsDefault: 5_000,
  closeMsDefault: 2_000,
  /** How long a flag may take whose variant is on record at the server. */
  askMsMax: 2_000,
  /** The copy for a start without the server is written at most so often. */
  keepMs: 1_000,
  /** Of a server that comes and goes it is warned so often. */
  warnMs: 60_000,
} as const;

/** Callbacks about the connection, beside the options of applications. */
interface Hooks {
  readonly onConnect?: () => void;
  readonly onLoss?: () => void;
}

/** A flag, and what it is asked. */
interface FoundFlag {
  readonly flag: CompiledFlag;
  readonly snapshot: LocalSnapshot;
  readonly question: Parameters<CompiledFlag['decide']>[0];
}

export type PlanQuestion = Parameters<typeof listEntitlements>[1];
export type FeatureQuestion = Parameters<typeof checkFeature>[1];

/**
 * Follows what is live and answers from memory, with the code of the decision plane itself. When the server is away it
 * goes on answering; events wait until it is back. Nothing that goes wrong here ends the process that it is part of.
 */
export class Backline {
  readonly #world = new LocalWorld();
  readonly #transport: Transport;
  readonly #queue: EventQueue;
  readonly #exposures: ExposureLog;
  readonly #options: BacklineOptions;
  readonly #hooks: Hooks;
  readonly #warn: (message: string) => void;
  readonly #stopping = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  readonly #following: Promise<void>;
  #lostAtMs: number | undefined = performance.now();
  #warnedAtMs = -Infinity;
  #problem: string | undefined = 'not connected yet';
  #keeping: NodeJS.Timeout | undefined;
  /** The last time that what is live was written to the cache file. */
  #kept: Promise<void> = Promise.resolve();

  constructor(options: BacklineOptions, hooks: Hooks = {}) {
    this.#options = options;
    this.#hooks = hooks;
    const warn = options.warn ?? ((message: string) => console.warn(`backline: ${message}`));
    this.#warn = (message) => guard(() => warn(message));
    this.#transport = fetchTransport(options.url, options.key);
    this.#queue = new EventQueue(this.#transport, this.#warn);
    this.#exposures = new ExposureLog(this.#queue, options.exposureType ?? 'exposure', this.#warn);
    // A caller that awaits `ready` gets the error; a process that does not is not ended by it.
    this.#first.promise.catch(() => {});
    this.#following = this.#start().catch((error: unknown) => {
      this.#problem = messageOf(error);
      this.#warn(this.#problem);
      this.#first.reject(error);
    });
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
  flag: Declared['flag'] = (key: string, fallback: unknown, context: DeclaredContext): never => {
    const details = this.details(key, context);
    if (details.value === undefined || typeof details.value !== typeof fallback) return fallback as never;
    this.expose(details, context);
    return details.value as never;
  };

  /** The same with the reason, and without exposing anybody: call `expose` when it is used. */
  details(key: string, context: DeclaredContext): FlagDetails {
    try {
      const found = this.#find(key, context);
      if ('reason' in found) return found;
      if (needsRecord(found.snapshot, found.flag)) {
        const message = `Variants of "${key}" are on record at the server: ask with detailsOnRecord.`;
        return failure(key, 'GENERAL', message, found.snapshot);
      }
      return detailsOf(found.flag.decide(found.question, found.snapshot.experience.flags), found.snapshot);
    } catch (error) {
      return failure(key, 'GENERAL', `"${key}" cannot be decided: ${messageOf(error)}`, this.#world.snapshot);
    }
  }

  /** The same for any flag: those whose variants are on record are asked of the server. */
  async detailsOnRecord(key: string, context: DeclaredContext): Promise<FlagDetails> {
    const { snapshot } = this.#world;
    const flag = snapshot?.experience.flags.get(key);
    if (snapshot === undefined || flag === undefined || !needsRecord(snapshot, flag)) return this.details(key, context);
    try {
      const found = this.#find(key, context);
      if ('reason' in found) return found;
      const path = `ofrep/v1/evaluate/flags/${encodeURIComponent(key)}`;
      const answer = await this.#transport.post(
        path,
        JSON.stringify({ context }),
        AbortSignal.timeout(LIMITS.askMsMax),
      );
      return ofrepDetails(key, answer.text, snapshot);
    } catch (error) {
      return failure(
        key,
        'GENERAL',
        `Variants of "${key}" are on record at the server, which cannot be asked: ${messageOf(error)}`,
        snapshot,
      );
    }
  }

  /** Every flag that can be decided here, for instance to hand them to a page. Exposes nobody. */
  all(context: DeclaredContext): FlagDetails[] {
    const { snapshot } = this.#world;
    return (snapshot?.experience.inOrder() ?? []).map(({ key }) => this.details(key, context));
  }

  /** Logs that somebody was shown a variant. Only what an experiment, a holdout or a split decided is worth it. */
  expose(details: FlagDetails, context: DeclaredContext): void {
    guard(() => this.#exposures.add(details, context as Context));
  }

  /** The entitlements of a plan, as `/v1/entitlements`. Throws Refusal for unknown names. */
  entitlements(question: PlanQuestion): ReturnType<typeof listEntitlements> {
    return deepFreeze(listEntitlements(this.#products(), question));
  }

  /** Whether a plan gives a feature; as `/v1/check`. Throws Refusal for names that there are not. */
  check(question: FeatureQuestion): ReturnType<typeof checkFeature> {
    return deepFreeze(checkFeature(this.#products(), question, Temporal.Now.instant()));
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

  /** Stops following, keeps what is live, and sends what is queued, for as long as `ms` at most. */
  async close(ms: number = LIMITS.closeMsDefault): Promise<void> {
    this.#stopping.abort();
    if (this.#keeping !== undefined) {
      clearTimeout(this.#keeping);
      this.#keepNow();
    }
    await Promise.all([this.#queue.close(ms), this.#following, this.#kept]);
  }

  async #start(): Promise<void> {
    await loadTemporal();
    await this.#recall();
    await followStream({
      transport: this.#transport,
      place: () => this.#world.place,
      take: (line) => this.#take(line),
      onConnect: () => {
        if (this.#lostAtMs === undefined) return;
        this.#lostAtMs = undefined;
        this.#problem = undefined;
        guard(() => this.#hooks.onConnect?.());
      },
      onLoss: (why) => this.#lost(why),
      signal: this.#stopping.signal,
    });
  }

  #lost(why: string): void {
    const nowMs = performance.now();
    this.#problem = why;
    if (this.#lostAtMs !== undefined) return;
    this.#lostAtMs = nowMs;
    if (nowMs - this.#warnedAtMs >= LIMITS.warnMs) {
      this.#warnedAtMs = nowMs;
      this.#warn(`lost the server, answering from the last snapshot: ${why}`);
    }
    guard(() => this.#hooks.onLoss?.());
  }

  #take(line: StreamLine): void {
    const changed = this.#compiled(line);
    if (changed === undefined) return;
    this.#first.resolve();
    this.#keepSoon();
    guard(() => this.#options.changed?.(changed));
  }

  #compiled(line: StreamLine): readonly string[] | undefined {
    try {
      return this.#world.take(line);
    } catch (error) {
      const version = 'version' in line ? `version ${line.version}` : 'what is live';
      throw new Error(`${version} cannot be compiled by this version of the client: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #find(key: string, context: DeclaredContext): FoundFlag | FlagDetails {
    const { snapshot } = this.#world;
    if (snapshot === undefined)
      return failure(key, 'PROVIDER_NOT_READY', `There is no snapshot yet: ${this.#problem ?? ''}`, undefined);
    if (typeof context !== 'object' || context === null)
      return failure(key, 'INVALID_CONTEXT', 'The context must be an object of attributes.', snapshot);
    const flag = snapshot.experience.flags.get(key);
    if (flag === undefined) return failure(key, 'FLAG_NOT_FOUND', `There is no flag "${key}".`, snapshot);
    const { refused, evaluation } = wrongValues(context as Context, snapshot.experience);
    const [problem] = refused;
    if (problem !== undefined) return failure(key, 'INVALID_CONTEXT', wrongSaid(problem), snapshot);
    const question = { context: context as Context, nowMs: Date.now(), random: Math.random, kept: NONE, ...evaluation };
    return { flag, snapshot, question };
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
      for await (const line of linesOf(createReadStream(cacheFile))) {
        this.#take(JSON.parse(line) as StreamLine);
      }
      if (this.#world.snapshot === undefined) throw new Error('it is not whole');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#warn(`${cacheFile} cannot be used: ${messageOf(error)}`);
    }
  }

  #keepSoon(): void {
    if (this.#options.cacheFile === undefined || this.#keeping !== undefined || this.#stopping.signal.aborted) return;
    this.#keeping = setTimeout(() => this.#keepNow(), LIMITS.keepMs);
    this.#keeping.unref();
  }

  #keepNow(): void {
    const { cacheFile } = this.#options;
    this.#keeping = undefined;
    if (cacheFile === undefined) return;
    // A name of its own: several processes may share the file.
    const fresh = `${cacheFile}.${randomUUID()}.new`;
    this.#kept = this.#kept.then(async () => {
      try {
        await writeFile(fresh, this.#world.lines(), { mode: 0o600 });
        await rename(fresh, cacheFile);
      } catch (error) {
        this.#warn(`${cacheFile} cannot be written: ${messageOf(error)}`);
        await rm(fresh, { force: true }).catch(() => {});
      }
    });
  }
}

/** Calls a function of the application. Its errors are logged and not thrown. */
function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    console.warn(`backline: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function needsRecord({ experience }: LocalSnapshot, { sticky, requires }: CompiledFlag): boolean {
  return sticky.length > 0 || (requires && experience.sticky.length > 0);
}

const NONE: ReadonlyMap<string, string> = new Map();

function detailsOf(outcome: Outcome, { version }: LocalSnapshot): FlagDetails {
  const { flag, value, variant, reason, rule, experiment, holdout, unit, revision, error } = outcome;
  return {
    key: flag,
    value,
    variant,
    reason,
    // As OFREP answers it: an exposure is the same whether the server or the client answered.
    revision: revision.slice(0, REVISION_CHARS),
    snapshot: version,
    ...(error === undefined ? {} : { errorCode: error.code, errorMessage: error.message }),
    ...(rule === undefined ? {} : { rule }),
    ...(experiment === undefined ? {} : { experiment: experiment.name, assignmentId: experiment.assignmentId }),
    ...(holdout === undefined ? {} : { holdout }),
    ...(unit === undefined ? {} : { unit }),
  };
}

function ofrepDetails(key: string, text: string, snapshot: LocalSnapshot): FlagDetails {
  const answer = JSON.parse(text) as {
    value?: unknown;
    variant?: string;
    reason?: FlagDetails['reason'];
    errorDetails?: string;
    metadata?: Partial<
      Record<'rule' | 'experiment' | 'assignmentId' | 'holdout' | 'unit' | 'version' | 'snapshot', string>
    >;
  };
  if (answer.reason === undefined) return failure(key, 'GENERAL', answer.errorDetails ?? text.slice(0, 300), snapshot);
  const { version, unit, ...metadata } = answer.metadata ?? {};
  return {
    key,
    value: answer.value,
    variant: answer.variant,
    reason: answer.reason,
    ...metadata,
    ...(version === undefined ? {} : { revision: version }),
    ...(unit === undefined ? {} : { unit: unit.split(',') }),
  };
}

function failure(
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
  await import('temporal-polyfill/global').catch((error: unknown) => {
    const remedy = 'This version of Node.js has no Temporal: install temporal-polyfill beside @backline/node';
    throw new Error(`${remedy} (${messageOf(error)}).`, { cause: error });
  });
}
