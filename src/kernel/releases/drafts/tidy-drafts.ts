import { Refusal } from '#kernel/base/failures.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import { Draft, DRAFT_LIMITS } from '../kinds/draft.ts';

const AUTHOR = { user: 'system:retention', requestId: 'drafts' };
const HOURS_A_DAY = 24;
/** Drafts that are deleted in one run; the others follow in the next. */
const TIDIED_MAX = 1_000;

/** Deletes drafts that nobody has written for long, each unless it is written meanwhile. Returns how many. */
export async function tidyDrafts(
  store: Pick<Store<Operation>, 'findUntouched' | 'get' | 'write'>,
  now: Temporal.Instant,
): Promise<number> {
  const before = now.subtract({ hours: DRAFT_LIMITS.untouchedDays * HOURS_A_DAY });
  const untouched = await store.findUntouched(Draft, before, TIDIED_MAX);
  let deleted = 0;
  for (const { namespace, name, version } of untouched) {
    if (store.get(Draft, namespace, name)?.version !== version) continue;
    const place = { kind: Draft.id, namespace, name };
    try {
      await store.write([{ ...place, verb: 'delete', versionExpected: String(version) }], AUTHOR);
      deleted += 1;
    } catch (error) {
      if (!(error instanceof Refusal && (error.reason === 'Conflict' || error.reason === 'NotFound'))) throw error;
    }
  }
  return deleted;
}
