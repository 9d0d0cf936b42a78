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
    this.client = new Backline({
      ...options,
      changed: () => {
        if (this.#isReady) this.events.emit(ProviderEvents.ConfigurationChanged);
      },
    });
  }

  async initialize(): Promise<void> {
    await this.client.ready();
    this.#isReady = true;
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
    if (value === undefined) return { value: fallback, reason };
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

/** Dates as text: contexts are JSON here. */
function plain(context: EvaluationContext): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]),
  );
}

function metadataOf({
  rule,
  experiment,
  assignmentId,
  holdout,
  revision,
  snapshot,
}: FlagDetails): Record<string, string> {
  const all = { rule, experiment, assignmentId, holdout, revision, snapshot };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
