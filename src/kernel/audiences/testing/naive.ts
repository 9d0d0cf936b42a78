import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { evalCondition } from '@growthbook/growthbook';
import semver from 'semver';
import type { AttributeDeclaration, AttributeType } from '../language/attributes.ts';
import type { AudienceSpec } from '../kinds/audience.ts';
import type { AudienceRule, Condition, Context, Truth } from '../language/language.ts';

/** The world of the naive evaluator: the declared attributes and all audiences. */
export interface NaiveWorld {
  readonly attributes: ReadonlyMap<string, AttributeDeclaration>;
  readonly audiences: ReadonlyMap<string, AudienceSpec>;
}

/** The meaning of the language in readable form: the oracle of closures and indexes. */
export function naiveTruth(rule: AudienceRule, context: Context, nowMs: number, world: NaiveWorld): Truth {
  return or(
    rule.anyOf.map(({ allOf }) => and(allOf.map((condition) => conditionTruth(condition, context, nowMs, world)))),
  );
}

/** Excluded beats included, included beats the rule; membership is unknown without a key. */
export function naiveAudience(spec: AudienceSpec, context: Context, nowMs: number, world: NaiveWorld): Truth {
  const { anyOf, members } = spec;
  const key = context['targetingKey'];
  const isIn = (list: readonly string[] = []): Truth =>
    list.length === 0 ? false : typeof key === 'string' ? list.includes(key) : undefined;
  const rule = anyOf === undefined ? false : naiveTruth({ anyOf }, context, nowMs, world);
  return and([not(isIn(members?.exclude)), or([isIn(members?.include), rule])]);
}

function and(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(undefined) ? undefined : true;
}

function or(truths: readonly Truth[]): Truth {
  return not(and(truths.map(not)));
}

function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

function conditionTruth(condition: Condition, context: Context, nowMs: number, world: NaiveWorld): Truth {
  const truth = positiveTruth(condition, context, nowMs, world);
  return condition.not === true ? not(truth) : truth;
}

function positiveTruth(condition: Condition, context: Context, nowMs: number, world: NaiveWorld): Truth {
  const { attribute, audience, time } = condition;
  if (time !== undefined) return timeTruth(time, context, nowMs);
  if (audience !== undefined) {
    const spec = world.audiences.get(audience);
    return spec === undefined ? undefined : naiveAudience(spec, context, nowMs, world);
  }
  const declared = attribute === undefined ? undefined : world.attributes.get(attribute);
  if (declared === undefined) return undefined;
  const value = valueOf(context, declared.name);
  if (condition.exists !== undefined) return (value !== undefined) === condition.exists;
  if (value === undefined) return condition.absent === undefined ? undefined : condition.absent === 'match';
  if (condition.as !== undefined) return readTruth(condition, condition.as, value);
  const values = declared.multiValued && Array.isArray(value) ? value : [value];
  const typed = values.map((one) => typedValue(declared.type, declared.loose === true ? loosen(one) : one));
  if (typed.includes(undefined)) return undefined;
  // A text that is too long for a regular expression counts as one of the wrong type.
  if (condition.matches !== undefined && typed.some((one) => String(one).length > 500)) return undefined;
  const truth = or(typed.map((one) => testTruth(condition, declared.type, one as string | number | boolean)));
  return condition.notIn === undefined ? truth : not(truth);
}

/** Own properties of the context only, not of its prototype; null counts as absent. */
function valueOf(context: Context, name: string): unknown {
  if (Object.hasOwn(context, name)) return context[name] ?? undefined;
  let value: unknown = context;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value ?? undefined;
}

function loosen(value: unknown): unknown {
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)) ? `${value}` : value;
}

/** A condition that reads a text as another type: an unreadable value counts as absent. */
function readTruth(condition: Condition, as: NonNullable<Condition['as']>, value: unknown): Truth {
  const absent = condition.absent === undefined ? undefined : condition.absent === 'match';
  const about = (type: AttributeType, read: string | number | boolean | undefined): Truth => {
    if (read === undefined) return absent;
    const truth = testTruth(condition, type, read);
    return condition.notIn === undefined ? truth : not(truth);
  };
  if (typeof value === 'string' && value.length > 256) return absent;
  switch (as) {
    case 'number': {
      const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
      return about('number', Number.isNaN(number) ? undefined : number);
    }
    case 'timestamp':
      return about('timestamp', instantOf(value));
    case 'semver':
      return about('semver', typeof value === 'string' ? (semver.valid(value) ?? undefined) : undefined);
    case 'partial-semver': {
      const text = typeof value === 'string' || typeof value === 'number' ? String(value).replace(/^[vV]/, '') : '-';
      const whole = /^\d+$/.test(text) ? `${text}.0.0` : /^\d+\.\d+$/.test(text) ? `${text}.0` : text;
      return about('semver', semver.valid(whole) ?? undefined);
    }
    case 'ip':
      return about('ip', typeof value === 'string' ? canonicalIp(value) : undefined);
    case 'growthbook-version': {
      // GrowthBook itself decides.
      const has = (operator: string, bound: unknown) =>
        bound === undefined || evalCondition({ value }, { value: { [operator]: bound } });
      const members = condition.in ?? condition.notIn;
      const truth =
        members === undefined
          ? has('$vgte', condition.atLeast) &&
            has('$vgt', condition.above) &&
            has('$vlte', condition.atMost) &&
            has('$vlt', condition.below)
          : members.some((member) => has('$veq', member));
      return condition.notIn === undefined ? truth : !truth;
    }
    default:
      return as satisfies never;
  }
}

/** The value in a form in which equal ones are equal, or undefined for the wrong type. */
function typedValue(type: AttributeType, value: unknown): string | number | boolean | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'semver':
      return typeof value === 'string' ? (semver.valid(value) ?? undefined) : undefined;
    case 'timestamp':
      return instantOf(value);
    case 'ip':
      return typeof value === 'string' ? canonicalIp(value) : undefined;
    default:
      return type satisfies never;
  }
}

function instantOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.abs(value) <= 8.64e15 ? value : undefined;
  if (typeof value !== 'string' || value.includes(':60') || /[^0-9TtZz:.+-]/.test(value) || value.length < 20)
    return undefined;
  if (!/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value)) return undefined;
  try {
    return Temporal.Instant.from(value).epochMilliseconds;
  } catch {
    return undefined;
  }
}

function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function testTruth(condition: Condition, type: AttributeType, value: string | number | boolean): Truth {
  const members = condition.in ?? condition.notIn;
  const fold = (one: unknown) => (condition.ignoreCase === true && typeof one === 'string' ? one.toLowerCase() : one);
  if (members !== undefined) return members.some((member) => fold(typedValue(type, member)) === fold(value));
  if (typeof value === 'number') {
    const { atLeast, above, atMost, below } = condition;
    const number = (bound: unknown) => typedValue(type, bound) as number;
    return (
      (atLeast === undefined || value >= number(atLeast)) &&
      (above === undefined || value > number(above)) &&
      (atMost === undefined || value <= number(atMost)) &&
      (below === undefined || value < number(below))
    );
  }
  const text = String(fold(value));
  const some = (pieces: readonly string[], has: (piece: string) => boolean) => pieces.map(fold).map(String).some(has);
  const { startsWith, endsWith, contains, matches, semver: range, cidr } = condition;
  if (startsWith !== undefined) return some(startsWith, (piece) => text.startsWith(piece));
  if (endsWith !== undefined) return some(endsWith, (piece) => text.endsWith(piece));
  if (contains !== undefined) return some(contains, (piece) => text.includes(piece));
  if (matches !== undefined) {
    return new RegExp(matches, condition.ignoreCase === true ? 'iu' : 'u').test(String(value));
  }
  if (range !== undefined) return semver.satisfies(String(value), range, { includePrerelease: true });
  if (cidr !== undefined) return cidr.some((network) => isInNetwork(String(value), network));
  return undefined;
}

function isInNetwork(address: string, network: string): boolean {
  const [base = '', length] = network.split('/');
  const family = isIPv4(base) ? 'ipv4' : 'ipv6';
  if (isIPv4(address) !== (family === 'ipv4')) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(length ?? (family === 'ipv4' ? 32 : 128)), family);
  return list.check(address, family);
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

function timeTruth(time: NonNullable<Condition['time']>, context: Context, nowMs: number): Truth {
  const { after, before, days, from = '00:00', until = '24:00' } = time;
  const interval =
    (after === undefined || nowMs >= Temporal.Instant.from(after).epochMilliseconds) &&
    (before === undefined || nowMs < Temporal.Instant.from(before).epochMilliseconds);
  if (days === undefined && time.from === undefined && time.until === undefined) return interval;
  const zone = time.zone === 'listener' ? (context['timeZone'] ?? 'UTC') : (time.zone ?? 'UTC');
  if (typeof zone !== 'string' || !/^[A-Za-z]/.test(zone)) return and([interval, undefined]);
  let wall: Temporal.ZonedDateTime;
  try {
    wall = Temporal.Instant.fromEpochMilliseconds(Math.floor(nowMs)).toZonedDateTimeISO(zone);
  } catch {
    return and([interval, undefined]);
  }
  const clock = wall.toPlainTime().toString().slice(0, 5);
  const began = (daysAgo: number) => {
    const day = DAYS[wall.toPlainDate().subtract({ days: daysAgo }).dayOfWeek - 1];
    return days === undefined || (day !== undefined && days.includes(day));
  };
  const window =
    from < until
      ? clock >= from && clock < until && began(0)
      : (clock >= from && began(0)) || (clock < until && began(1));
  return and([interval, window]);
}
