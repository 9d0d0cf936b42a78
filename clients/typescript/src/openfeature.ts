import {
  OpenFeatureEventEmitter,
  ErrorCode,
  ProviderEvents,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
  type TrackingEventDetails,
} from '@openfeature/server-sdk';
import type { BacklineOptions, FlagDetails } from '../package/types/index.d.ts';
import { Backline } from './client.ts';

/**
 * Backline for the OpenFeature server SDK: flags are evaluated in this process. Who gets a flag is exposed to it.
 * `track` becomes an event of that name, with the value and the attributes of its details.
 */
export class BacklineProvider implements Provider {
  readonly metadata = { name: 'backline' };
  readonly runsOn = 'server';
  readonly events = new OpenFeatureEventEmitter();
  readonly client: Backline;
  #isReady = false;

  constructor(options: Omit<BacklineOptions, 'changed'>) {
    this.client = new Backline(
      {
        ...options,
        changed: (flagsChanged) => {
          if (!this.#isReady || flagsChanged.length === 0) return;
          this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...flagsChanged] });
        },
      },
      {
        onConnect: () => {
          if (this.#isReady) this.events.emit(ProviderEvents.Ready);
        },
        onLoss: () => this.#stale(),
      },
    );
  }

  async initialize(): Promise<void> {
    await this.client.ready();
    this.#isReady = true;
    // From what was kept of an earlier run: the SDK first says that it is ready.
    if (!this.client.status.connected) setImmediate(() => this.#stale());
  }

  #stale(): void {
    const { connected, problem } = this.client.status;
    if (!this.#isReady || connected) return;
    this.events.emit(ProviderEvents.Stale, { message: `answering from the last snapshot: ${problem ?? ''}` });
  }

  onClose(): Promise<void> {
    return this.client.close();
  }

  resolveBooleanEvaluation(
    key: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, fallback, context);
  }

  resolveStringEvaluation(
    key: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, fallback, context);
  }

  resolveNumberEvaluation(
    key: string,
    fallback: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, fallback, context);
  }

  resolveObjectEvaluation<Value extends JsonValue>(
    key: string,
    fallback: Value,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<Value>> {
    return this.#resolve(key, fallback, context);
  }

  track(name: string, context: EvaluationContext, details: TrackingEventDetails = {}): void {
    this.client.track(name, context.targetingKey, details);
  }

  async #resolve<Value>(key: string, fallback: Value, context: EvaluationContext): Promise<ResolutionDetails<Value>> {
    const attributes = plain(context);
    const details = await this.client.detailsOnRecord(key, attributes);
    const { value, variant, reason, errorCode, errorMessage } = details;
    if (errorCode !== undefined) {
      return {
        value: fallback,
        reason,
        errorCode: ErrorCode[errorCode],
        ...(errorMessage === undefined ? {} : { errorMessage }),
      };
    }
    if (value === undefined) return { value: fallback, reason, flagMetadata: metadataOf(details) };
    if (typeof value !== typeof fallback) {
      const wrong = `The flag is a ${typeof value}, not a ${typeof fallback}.`;
      return { value: fallback, reason: 'ERROR', errorCode: ErrorCode.TYPE_MISMATCH, errorMessage: wrong };
    }
    this.client.expose(details, attributes);
    return {
      value: value as Value,
      reason,
      flagMetadata: metadataOf(details),
      ...(variant === undefined ? {} : { variant }),
    };
  }
}

/** As OFREP would carry it: contexts are JSON here, in which dates are texts and NaN is nothing. */
function plain(context: EvaluationContext): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'object' || value === null) return value;
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    // It goes round in a circle: what needs it says that it is of a wrong type.
    return value;
  }
}

function metadataOf({
  rule,
  experiment,
  assignmentId,
  holdout,
  revision,
  snapshot,
}: FlagDetails): Record<string, string> {
  // `version` is where OpenTelemetry looks for what was evaluated.
  const all = { rule, experiment, assignmentId, holdout, version: revision, snapshot };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
