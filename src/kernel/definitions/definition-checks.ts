import { Worker } from 'node:worker_threads';
import type { Problem } from '#kernel/base/failures.ts';
import { Places } from '#kernel/http/places.ts';
import type { Unblock } from '#kernel/store/contract.ts';
import { BlockedWrite } from '#kernel/store/rules/blocked-write.ts';
import { keepProblems, knownProblems } from './kinds/known-checks.ts';
import { definitionRefusal } from './refusals.ts';

const LIMITS = {
  /** Of one check: a megabyte of patterns takes some three seconds. */
  msMax: 20_000,
  /** Memory of the thread. */
  heapMegabytesMax: 512,
} as const;

const PLACES = {
  of: 'checks of definitions',
  runningMax: 1,
  waitingMax: 100,
  runningOfUserMax: 1,
  waitingOfUserMax: 50,
} as const;
const NEVER = new AbortController().signal;

/** The versions of a definition were not checked yet, and take too long for it to be done where writes are decided. */
export class UncheckedDefinition extends BlockedWrite {
  readonly text: string;
  readonly user: string;

  constructor(text: string, user: string) {
    super('definitions/unchecked', 'ServiceUnavailable', 'The schemas of the definition were not checked.', {
      remedy: 'Try again in a moment.',
      retryAfterSeconds: 1,
    });
    this.text = text;
    this.user = user;
  }
}

/** Checks definitions in a thread of its own, which lives as long as one check: a hostile one holds up nobody. */
export function definitionChecks(): Unblock {
  const places = new Places(PLACES);
  return {
    groupOf: (reason) => (reason instanceof UncheckedDefinition ? reason : undefined),
    remove: async (reasons, signal) => {
      for (const reason of reasons) {
        if (!(reason instanceof UncheckedDefinition) || knownProblems(reason.text) !== undefined) continue;
        const check = () => problemsByThread(reason.text);
        keepProblems(reason.text, await places.take(reason.user, signal ?? NEVER, check));
      }
    },
  };
}

async function problemsByThread(text: string): Promise<readonly Problem[]> {
  const resourceLimits = { maxOldGenerationSizeMb: LIMITS.heapMegabytesMax };
  const thread = new Worker(new URL('./check-thread.ts', import.meta.url), { workerData: text, resourceLimits });
  const { promise, resolve, reject } = Promise.withResolvers<readonly Problem[]>();
  const timer = setTimeout(() => reject(tooLong(`took more than ${LIMITS.msMax / 1_000} s`)), LIMITS.msMax);
  thread.once('message', resolve);
  thread.once('error', (error: Error) => reject(tooLong(`failed: ${error.message}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

function tooLong(what: string) {
  return definitionRefusal('check-failed', `checking the schemas of the definition ${what}`);
}
