import { randomUUID } from 'node:crypto';
import type { Refusal } from '#kernel/base/failures.ts';
import type { ConversionWebhook, Kind } from '#kernel/kinds/kind.ts';
import { OutboundError, type Outbound } from '#kernel/outbound/outbound.ts';
import type { Entry, Unblock } from '#kernel/store/contract.ts';
import { ConversionMissing, pendingConversions, type PendingConversion } from '#kernel/store/rules/read-as.ts';
import { CustomResourceDefinition } from '../kinds/custom-resource-definition.ts';
import { definitionRefusal } from '../refusals.ts';
import { readReview, REVIEW, type ReviewRequest } from './read-review.ts';

const LIMITS = {
  /** Of one request: two of them, to read and to write an object, fit into the time that a write has. */
  msMax: 4_000,
  /** Of an answer. */
  bytesMax: 16 * 1024 * 1024,
  /** Objects of one request. */
  objectsMax: 200,
  /** Text of the objects of one request; a single object may be above it. */
  charsMax: 1024 * 1024,
} as const;

/** Objects of other versions, turned by webhooks into those that are asked for. */
export interface Conversions {
  /** Resolves when a version can show these entries; undefined when it can. Rejects with a Refusal that names the webhook. */
  readonly convert: (kind: Kind, entries: readonly Entry[]) => Promise<void> | undefined;
  /** Converts what a write needs. */
  readonly unblock: Unblock;
}

export function openConversions(outbound: Outbound): Conversions {
  /** Work under way by what is converted: many who read the same object ask once. */
  const underWay = new WeakMap<Kind, Map<string, Promise<void>>>();
  return {
    convert: (kind, entries) => {
      const pending = pendingConversions(kind, entries);
      return pending.length === 0 ? undefined : convertAll(kind, pending, entries);
    },
    unblock: {
      groupOf: (reason) => (reason instanceof ConversionMissing ? reason.conversion.kind : undefined),
      remove: async (reasons, signal) => {
        const pending = reasons.flatMap((reason) => (reason instanceof ConversionMissing ? [reason.conversion] : []));
        for (const [kind, some] of Map.groupBy(pending, (one) => one.kind)) {
          for (const chunk of chunksOf(some)) await ask(kind, chunk, signal);
        }
      },
    },
  };

  async function convertAll(
    kind: Kind,
    pending: readonly PendingConversion[],
    entries: readonly Entry[],
  ): Promise<void> {
    const known = underWay.get(kind) ?? new Map<string, Promise<void>>();
    underWay.set(kind, known);
    const works = new Set<Promise<void>>();
    const left: PendingConversion[] = [];
    for (const one of pending) {
      const work = known.get(keyOf(one));
      if (work === undefined) left.push(one);
      else works.add(work);
    }
    for (const chunk of chunksOf(left)) {
      const keys = chunk.map(keyOf);
      const work: Promise<void> = ask(kind, chunk, undefined).finally(() => {
        for (const key of keys) known.delete(key);
      });
      for (const key of keys) known.set(key, work);
      works.add(work);
    }
    await Promise.all(works);
    // Shared work may have been for another entry of the same state.
    for (const chunk of chunksOf(pendingConversions(kind, entries))) await ask(kind, chunk, undefined);
  }

  async function ask(
    kind: Kind,
    pending: readonly PendingConversion[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { definition } = kind;
    const webhook = definition?.webhook;
    if (definition === undefined || webhook === undefined) return;
    const request = {
      uid: randomUUID(),
      desiredAPIVersion: kind.apiVersion,
      objects: pending.map(({ object }) => object),
    };
    const text = await answerOf(outbound, definition.name, webhook, { request, signal });
    const { objects, problem } = readReview(kind, request, text);
    if (problem !== undefined) throw refusalFor(definition.name, problem, 'conversion-wrong');
    for (const [index, { note }] of pending.entries()) {
      const converted = objects[index];
      if (converted !== undefined) note(converted);
    }
  }
}

async function answerOf(
  outbound: Outbound,
  name: string,
  { url, ca }: ConversionWebhook,
  { request, signal }: { readonly request: ReviewRequest; readonly signal: AbortSignal | undefined },
): Promise<string> {
  const { msMax, bytesMax } = LIMITS;
  const body = JSON.stringify({ ...REVIEW, request });
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  try {
    const { status, text, isCut } = await outbound.ask(
      { kind: CustomResourceDefinition.kind, name },
      { method: 'POST', url, headers, body, msMax, bytesMax, ...(ca && { ca }), ...(signal && { signal }) },
    );
    if (status !== 200) throw refusalFor(name, `it answered with status ${status}`, 'conversion-wrong');
    if (isCut) throw refusalFor(name, `its answer has more than ${bytesMax} bytes`, 'conversion-wrong');
    return text;
  } catch (error) {
    if (error instanceof OutboundError) throw refusalFor(name, error.message, 'conversion-unanswered');
    throw error;
  }
}

function refusalFor(name: string, why: string, code: 'conversion-wrong' | 'conversion-unanswered'): Refusal {
  return definitionRefusal(code, `conversion webhook of ${name}: ${why}`, { retryAfterSeconds: 1 });
}

function keyOf({ object: { apiVersion, metadata } }: PendingConversion): string {
  return `${apiVersion} ${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`;
}

function* chunksOf(pending: readonly PendingConversion[]): Generator<readonly PendingConversion[]> {
  let chunk: PendingConversion[] = [];
  let chars = 0;
  for (const one of pending) {
    const size = JSON.stringify(one.object).length;
    if (chunk.length > 0 && (chunk.length >= LIMITS.objectsMax || chars + size > LIMITS.charsMax)) {
      yield chunk;
      [chunk, chars] = [[], 0];
    }
    chunk.push(one);
    chars += size;
  }
  if (chunk.length > 0) yield chunk;
}
