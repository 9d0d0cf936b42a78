import { releaseRefusal } from '#kernel/releases/refusals.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Reader } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { pinsOf } from '../engine/guard.ts';
import { pinOperation, unpinOperation } from '../engine/restore.ts';
import { BY_HAND, Pin, pinName } from '../kinds/pin.ts';
import type { CommandSpec } from '../kinds/release-command.ts';
import type { PlannedRelease } from '../kinds/target.ts';

/** Pins the objects of a release by hand. */
export function pinRelease(
  { name: release, spec }: PlannedRelease,
  { reason = 'No reason was given.', until }: CommandSpec,
  by: string,
  kinds: KindRegistry,
): Operation[] {
  return spec.objects.map(({ kind, name }) =>
    pinOperation(pinName(kinds.byId(kind), name, BY_HAND), {
      object: { kind, name },
      release,
      by,
      reason,
      ...(until === undefined ? {} : { until }),
    }),
  );
}

/**
 * Removes the pins of a release, whether made by its rollback or by hand; pins of others stay.
 *
 * @throws Refusal when there are none
 */
export function unpinRelease({ name, spec }: PlannedRelease, read: Reader, kinds: KindRegistry): Operation[] {
  const pins = spec.objects.flatMap((one) => pinsOf(read, kinds.byId(one.kind), one.name));
  const release = spec.rollbackOf ?? name;
  const own = pins.filter((pin) => Pin.spec(pin.object()).release === release);
  if (own.length > 0) return own.map((pin) => unpinOperation(pin.name));
  const [other] = pins;
  const why = other === undefined ? '' : ` by it; ${other.name} is a pin of something that it changed`;
  throw releaseRefusal('not-pinned', `Nothing that release "${name}" changed is pinned${why}.`, {
    subject: name,
    ...(other === undefined ? {} : { remedy: `Unpin it: kubectl delete pin ${other.name}.` }),
  });
}
