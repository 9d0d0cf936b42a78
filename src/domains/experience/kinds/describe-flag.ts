import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import { EVERYBODY, audienceParts } from './audience-text.ts';
import type { SpecChange, World } from '#kernel/kinds/kind.ts';
import { experimentSpec } from './experiment-spec.ts';
import { EXPERIMENT } from './identity.ts';
import type { FlagRule, FlagSpec } from './flag-spec.ts';
import type { Split, Traffic } from './parts.ts';

/** Describes a change of a flag, for people who are not engineers. */
export function describeFlag(
  name: string,
  { before, after }: SpecChange<FlagSpec>,
  { world }: { readonly world?: World } = {},
): readonly string[] {
  if (after === undefined) return [`Flag ${before?.title ?? name} is removed: the app uses the default in its code.`];
  const title = after.title ?? name;
  if (before === undefined) {
    return [
      `New flag: ${title}, ${after.default === undefined ? 'the default in the code' : after.default} by default.`,
      ...describeRules(title, [], after.rules ?? []),
    ];
  }
  const sentences: string[] = [];
  if (before.enabled !== after.enabled)
    sentences.push(`${title} is switched ${after.enabled ? 'on' : 'off: everybody gets the default in the code'}.`);
  if (before.default !== after.default) {
    sentences.push(
      `${title}: ${before.default ?? 'the default in the code'} → ${after.default ?? 'the default in the code'} without a matching rule.`,
    );
  }
  for (const variant of after.variants) {
    const known = before.variants.find((other) => other.name === variant.name);
    if (known === undefined) sentences.push(`${title} can now be ${variant.name}.`);
    else if (canonicalJson(known.value) !== canonicalJson(variant.value)) {
      sentences.push(
        `${title}: ${variant.name} is now ${showValue(variant.value)} instead of ${showValue(known.value)}.`,
      );
    }
  }
  for (const variant of before.variants) {
    if (!after.variants.some((other) => other.name === variant.name))
      sentences.push(`${title} can no longer be ${variant.name}.`);
  }
  if (canonicalJson(before.requires) !== canonicalJson(after.requires))
    sentences.push(describeRequirements(title, after));
  if (canonicalJson(before.unit) !== canonicalJson(after.unit)) {
    const unit = after.unit?.join(' or ') ?? TARGETING_KEY;
    sentences.push(`${title} uses the unit ${unit}: rules without a unit of their own draw listeners again.`);
  }
  return [
    ...sentences,
    ...describeRules(title, before.rules ?? [], after.rules ?? []),
    ...(takesOthers(before, after) ? adviseRunning(title, name, world) : []),
  ];
}

/** Whether a step before the experiments changes. */
function takesOthers(before: FlagSpec, after: FlagSpec): boolean {
  const first = ({ enabled, requires, rules }: FlagSpec) => canonicalJson([enabled, requires, rules]);
  return first(before) !== first(after);
}

/** Experiments may be in any namespace, so they are not named. */
function adviseRunning(title: string, name: string, world: World | undefined): string[] {
  const runs = (world?.find(EXPERIMENT, 'flag', name) ?? []).some(
    (object) => experimentSpec(object).state === 'running',
  );
  return runs
    ? [`An experiment runs on ${title}: listeners that its changed rules, switch or requirements now match leave it.`]
    : [];
}

function describeRequirements(title: string, { requires = [], default: fallback }: FlagSpec): string {
  if (requires.length === 0) return `${title} no longer requires other flags.`;
  const others = requires.map(({ flag, variants }) => `flag ${flag} is ${variants.join(' or ')}`).join(' and ');
  return `${title}: ${fallback ?? 'the default in the code'} for everybody unless ${others}.`;
}

function describeRules(title: string, before: readonly FlagRule[], after: readonly FlagRule[]): string[] {
  const keepCommon = (rules: readonly FlagRule[], others: readonly FlagRule[]) =>
    rules.map(({ name }) => name).filter((name) => others.some((other) => other.name === name));
  const order = keepCommon(after, before);
  return [
    ...(canonicalJson(keepCommon(before, after)) === canonicalJson(order)
      ? []
      : [`${title}: the order of the rules changes: ${order.join(', ')}.`]),
    ...before
      .filter(({ name }) => !after.some((rule) => rule.name === name))
      .map(({ name }) => `${title}: the rule ${name} is removed.`),
    ...after.flatMap((rule) => {
      const known = before.find(({ name }) => name === rule.name);
      if (known !== undefined && canonicalJson(known) === canonicalJson(rule)) return [];
      return [
        `${title}${known === undefined ? '' : ' (changed)'}: ${describeRule(rule)}.`,
        ...(known === undefined ? describeRename(title, rule, { before, after }) : describeNewDraw(title, known, rule)),
      ];
    }),
  ];
}

/** Describes the new draw of a rule that had another name: the name is part of the salt. */
function describeRename(
  title: string,
  rule: FlagRule,
  { before, after }: { readonly before: readonly FlagRule[]; readonly after: readonly FlagRule[] },
): string[] {
  const { name, split, traffic, bucketing } = rule;
  const isDrawn =
    (split !== undefined && bucketing === undefined) || (traffic !== undefined && traffic.bucketing === undefined);
  const renamed = before.find(
    (other) =>
      !after.some((one) => one.name === other.name) && canonicalJson({ ...other, name }) === canonicalJson(rule),
  );
  return renamed === undefined || !isDrawn
    ? []
    : [`${title}: rule ${name}, renamed from ${renamed.name}, draws its listeners again.`];
}

/** Describes a new draw: listeners of a rule may move to another part, or get another variant. */
function describeNewDraw(title: string, known: FlagRule, rule: FlagRule): string[] {
  const { name, split, traffic } = rule;
  const drawingOf = ({ unit, bucketing, split: parts }: FlagRule) => canonicalJson({ unit, bucketing, split: parts });
  const partOf = (part: Traffic | undefined) => canonicalJson({ unit: part?.unit, bucketing: part?.bucketing });
  const sentences: string[] = [];
  if (known.split !== undefined && split !== undefined && drawingOf(known) !== drawingOf(rule))
    sentences.push(`${title}: some listeners of rule ${name} get another variant than before.`);
  if (known.traffic !== undefined && traffic !== undefined && partOf(known.traffic) !== partOf(traffic))
    sentences.push(`${title}: rule ${name} draws its participants again.`);
  return sentences;
}

/** Describes a rule, without a full stop. */
export function describeRule(rule: FlagRule): string {
  const { requires = [], traffic, serve, split, name } = rule;
  const others = requires.map(({ flag, variants }) => `flag ${flag} is ${variants.join(' or ')}`);
  const who = [...audienceParts(rule), ...others].join(' and ') || EVERYBODY;
  const part = traffic === undefined ? '' : `${describeTraffic(traffic)} of `;
  return `${part}${who} gets ${split === undefined ? serve : describeSplit(split)} (rule ${name})`;
}

export function describeTraffic({ also = [], ...part }: Traffic): string {
  return [part, ...also].map(describeShare).join(' of ');
}

function describeShare({ percent, ranges = [] }: Omit<Traffic, 'also'>): string {
  const share = percent ?? ranges.reduce((sum, { from, until }) => sum + (until - from) * 100, 0);
  return `${Number(share.toFixed(2))} %`;
}

/** `on 50 %, off 50 %` */
export function describeSplit(split: Split): string {
  const total = split.reduce((sum, { weight = 0 }) => sum + weight, 0);
  return split
    .map(({ variant, weight, ranges = [] }) => {
      const share =
        weight === undefined ? ranges.reduce((sum, { from, until }) => sum + until - from, 0) : weight / total;
      return `${variant} ${Number((share * 100).toFixed(2))} %`;
    })
    .join(', ');
}

function showValue(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
