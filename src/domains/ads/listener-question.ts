import { Type } from 'typebox';
import { TIME_ZONE } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { zoneClock } from '#kernel/audiences/language/zone.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { BreakQuestion } from './decisions/decide.ts';
import type { CompiledPlacement } from './decisions/table.ts';
import { adRefusal } from './refusals.ts';
import { CONSENT_CHARACTERS_MAX } from './rules/consent/permission.ts';
import {
  AGE_GROUPS,
  CLOSED_RULES,
  historyScope,
  listenerRules,
  permittedContext,
  type ListenerFacts,
  type ReadPermission,
} from './rules/listener-rules.ts';

const CONSENT_LIMIT = `Absent, broken or longer than ${CONSENT_CHARACTERS_MAX} characters: no consent.`;

/** Inputs of a question that the rules of an AdPolicy need, besides the territory. */
export const LISTENER_INPUTS = {
  age: Type.Optional(Type.Integer({ minimum: 0, maximum: 150, description: 'Years of age of the listener.' })),
  ageGroup: Type.Optional(Type.Enum(AGE_GROUPS, { description: 'Whose account it is, where the age is not known.' })),
  zone: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'IANA zone of the listener, for day parts.' }),
  ),
  coppa: Type.Optional(Type.Boolean({ description: 'True: the listener counts as a child (COPPA).' })),
  tcf: Type.Optional(Type.String({ description: `Consent string of TCF 2.3. ${CONSENT_LIMIT}` })),
  gpp: Type.Optional(Type.String({ description: `Consent string of GPP. ${CONSENT_LIMIT}` })),
};

export const ConsentAnswer = Type.Object(
  {
    personal: Type.Boolean({ description: 'Whether every attribute may choose ads.' }),
    limited: Type.Boolean({ description: 'Whether attributes of the device and the rough place may.' }),
    history: Type.Enum(['listener', 'session'], { description: 'Whose history frequency caps use.' }),
    reason: Type.Optional(Type.String({ description: 'Why it is less than everything.' })),
    ageGroup: Type.Optional(Type.Enum(AGE_GROUPS, { description: 'The youngest that is known; absent: unknown.' })),
  },
  { description: 'What may be known of the listener.' },
);

type ListenerPart = Pick<BreakQuestion, 'context' | 'nowMs' | 'wallMs' | 'rules' | 'historyScope'>;

/** The part of a break's question that the policy of the placement decides. Without a policy nothing is permitted. */
export function listenerPart(
  { policy }: CompiledPlacement,
  facts: ListenerFacts & { readonly listener?: string | undefined; readonly zone?: string | undefined },
  { context, nowMs }: { readonly context: Context; readonly nowMs: number },
  read: ReadPermission,
): ListenerPart {
  const rules = policy === undefined ? CLOSED_RULES : listenerRules(policy, facts, read);
  const permitted = policy === undefined ? {} : permittedContext(context, policy, rules.permission);
  return {
    context: permitted,
    nowMs,
    wallMs: wallMsOf(facts.zone, permitted, nowMs),
    rules,
    historyScope: historyScope(facts.listener, rules),
  };
}

/**
 * The clock of the listener, as if it were UTC, by the zone of the question or the one that the permitted context has; undefined
 * where none is known.
 */
function wallMsOf(zone: string | undefined, context: Context, nowMs: number): number | undefined {
  const clock = zone === undefined ? undefined : zoneClock(zone);
  if (zone !== undefined && clock === undefined) {
    const hint = didYouMean(nearSpellings(zone, Intl.supportedValuesOf('timeZone')));
    throw adRefusal('invalid-question', `zone: "${zone}" is not an IANA time zone${hint}.`, {
      problems: [{ path: ['zone'], reason: 'FieldValueInvalid', detail: `"${zone}" is not an IANA time zone${hint}` }],
    });
  }
  const named = context[TIME_ZONE];
  const known = clock ?? (typeof named === 'string' ? zoneClock(named) : undefined);
  return known && nowMs + known.offsetMs(nowMs);
}

export function describeConsent({ rules: { permission, ageGroup }, historyScope: history }: BreakQuestion): object {
  const { personal, limited, reason } = permission;
  return {
    personal,
    limited,
    history,
    ...(reason === undefined ? {} : { reason }),
    ...(ageGroup === undefined ? {} : { ageGroup }),
  };
}
