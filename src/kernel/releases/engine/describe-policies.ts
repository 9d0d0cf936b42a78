import { isDeepStrictEqual } from 'node:util';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import { policyAdvice, selectionIn } from '../advice.ts';
import type { Targets } from '../kinds/targets.ts';
import type { UnitsOnRecord } from '../units-on-record.ts';
import { RELEASE_POLICY, policySpec, type PolicyStatus } from '../kinds/release-policy.ts';
import { ENGINE } from './advance.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'describe-policies' };

const LIMITS = {
  /** Maximum age of a status. */
  lookMs: 60_000,
  /** After a write of a policy. */
  soonMs: 200,
} as const;

/** Updates the status of each ReleasePolicy: its present selection, and names that do not exist. */
export function describePolicies(options: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly unitsOnRecord: UnitsOnRecord;
  readonly time: Time;
  readonly log: Log;
}): { readonly stop: () => Promise<void> } {
  const { store, kinds, targets, unitsOnRecord, time, log } = options;
  const policies = kinds.byId(RELEASE_POLICY);
  const logError = logSeldom(log, time.nowMs);
  let stopping = false;
  let working: Promise<void> = Promise.resolve();
  let cancel = time.after(LIMITS.soonMs, look);
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    const isNews = changes.some(
      ({ entry, type, author }) =>
        entry.kind.id === RELEASE_POLICY &&
        type !== 'DELETED' &&
        (author?.caller !== undefined || author?.requestId !== AUTHOR.requestId),
    );
    if (isNews) lookAfter(LIMITS.soonMs);
  });
  return {
    stop: async () => {
      stopping = true;
      cancel();
      unsubscribe();
      await working;
    },
  };

  function lookAfter(ms: number): void {
    cancel();
    if (!stopping) cancel = time.after(ms, look);
  }

  function look(): void {
    working = describeAll().then(() => lookAfter(LIMITS.lookMs));
  }

  async function describeAll(): Promise<void> {
    for (const { name } of store.list(policies)) {
      if (stopping) return;
      try {
        await describe(name);
      } catch (error) {
        logError(error, 'releases: cannot write the status of a policy', { policy: name });
      }
      // Yields between policies.
      await new Promise<void>((resolve) => void time.after(0, resolve));
    }
  }

  async function describe(name: string): Promise<void> {
    const object = store.get(policies, '', name)?.object();
    if (object === undefined) return;
    const spec = policySpec(object);
    const { objects, names, isPart } = selectionIn(spec.selector, { store, kinds });
    const status: PolicyStatus = {
      selects: { objects, names: [...names], ...(isPart ? { isPart } : {}) },
      warnings: [...policyAdvice(spec, { store, kinds, targets, unitsOnRecord })],
    };
    if (isDeepStrictEqual(object.status, status)) return;
    const operation: Operation = {
      verb: 'patch',
      kind: RELEASE_POLICY,
      namespace: '',
      name,
      part: 'status',
      patchType: 'merge',
      patch: { status: { ...status, selects: { isPart: null, ...status.selects } } },
      fieldValidation: 'Ignore',
    };
    await store.write([operation], AUTHOR);
  }
}
