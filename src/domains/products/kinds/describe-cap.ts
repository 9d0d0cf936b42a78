import type { SpecChange, World } from '#kernel/kinds/kind.ts';
import { rolloverInWords } from '../rules/rollover.ts';
import { windowInWords } from '../rules/windows.ts';
import type { CapSpec } from './cap-spec.ts';
import { Feature } from './feature.ts';
import { FEATURE, MARKET, PLAN } from './identity.ts';
import { marketSpec } from './market-spec.ts';
import { Plan } from './plan.ts';

const SCOPES = {
  listener: 'for each listener',
  household: 'for all members of a subscription together',
  device: 'for each device',
  role: 'for all members with the same role together',
} as const;
const ON_PLAN_CHANGE = {
  carry: 'use stays when the plan changes',
  scale: 'use is scaled to the new limit when the plan changes',
  reset: 'use does not count after the plan changes',
} as const;

/** Describes a change of a cap in sentences. */
export function describeCap(
  name: string,
  { before, after }: SpecChange<CapSpec>,
  { world }: { readonly world: World },
): readonly string[] {
  const spec = after ?? before;
  if (spec === undefined) return [];
  const feature = world.get(FEATURE, spec.feature);
  const { title, unit = 'units' } = feature === undefined ? { title: spec.feature } : Feature.spec(feature);
  if (after === undefined) {
    return [`${title}: the cap "${name}" ${scopeInWords(spec, world)} is removed; the limits of the plans apply.`];
  }
  if (before === undefined) {
    const goesOn = after.rollover === undefined ? '' : `; ${rolloverInWords(after.rollover, unit)}`;
    const more = after.onPlanChange === 'carry' ? goesOn : `${goesOn}; ${ON_PLAN_CHANGE[after.onPlanChange]}`;
    return [
      `${title} ${scopeInWords(after, world)}: ${amount(after, unit)} ${SCOPES[after.scope]}; ${atLimit(after)}${more}.`,
    ];
  }
  const label = `${title} ${scopeInWords(after, world)}`;
  const sentences: string[] = [];
  const addChange = (had: string, has: string, tell = `${label}: ${had} → ${has}.`) => {
    if (had !== has) sentences.push(tell);
  };
  addChange(before.feature, after.feature, `The cap "${name}" limits ${after.feature} instead of ${before.feature}.`);
  addChange(
    scopeInWords(before, world),
    scopeInWords(after, world),
    `The cap of ${title} is ${scopeInWords(after, world)} instead of ${scopeInWords(before, world)}.`,
  );
  addChange(amount(before, unit), amount(after, unit));
  if (amount(before, unit) !== amount(after, unit)) {
    if (JSON.stringify(before.window) !== JSON.stringify(after.window)) {
      sentences.push(`${label}: use of the current window no longer counts, because the window differs.`);
    } else if (after.onLimitChange === 'nextWindow') {
      sentences.push(`${label}: windows that began before ${after.limitBefore?.until} keep their limit.`);
    } else {
      sentences.push(`${label}: the new limit applies at once; past use is not revoked.`);
    }
  }
  addChange(
    SCOPES[before.scope],
    SCOPES[after.scope],
    `${label}: counted ${SCOPES[after.scope]} instead of ${SCOPES[before.scope]}; the count restarts.`,
  );
  addChange(atLimit(before), atLimit(after));
  addChange(rolloverInWords(before.rollover, unit), rolloverInWords(after.rollover, unit));
  addChange(ON_PLAN_CHANGE[before.onPlanChange], ON_PLAN_CHANGE[after.onPlanChange]);
  addChange(
    `used up at ${before.priority}`,
    `used up at ${after.priority}`,
    `${label}: its priority is ${after.priority} instead of ${before.priority}.`,
  );
  addChange(offline(before), offline(after), `${label}: ${offline(after)}.`);
  return sentences;
}

function scopeInWords({ plans, roles, markets }: CapSpec, world: World): string {
  const planTitle = (name: string): string => {
    const found = world.get(PLAN, name);
    return found === undefined ? name : Plan.spec(found).title;
  };
  const marketTitle = (name: string): string => {
    const found = world.get(MARKET, name);
    return found === undefined ? name : marketSpec(found).title;
  };
  const on = plans === undefined ? 'on every plan' : `on ${plans.map(planTitle).join(', ')}`;
  const to = roles === undefined ? '' : ` for ${roles.join(', ')}`;
  return `${on}${to}${markets === undefined ? '' : ` in ${markets.map(marketTitle).join(', ')}`}`;
}

function amount({ limit, window }: CapSpec, unit: string): string {
  const many = limit === undefined ? `as many ${unit} as the plan gives` : `${limit} ${unit}`;
  return `${many} ${windowInWords(window)}`;
}

function atLimit({ enforcement, grace }: CapSpec): string {
  if (enforcement === 'hard') return 'beyond that it is denied';
  if (enforcement === 'degrade') return 'beyond that it degrades';
  if (grace === undefined) return 'beyond that use goes on, and answers report it';
  return `beyond that use goes on for ${grace}${typeof grace === 'number' ? ' more' : ' of the limit'}, and answers report it`;
}

function offline({ offlineFor }: CapSpec): string {
  return offlineFor === undefined ? 'no offline use' : `offline use for ${offlineFor}`;
}
